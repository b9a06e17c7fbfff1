"""A model directory, before any library loads it."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuzz.engine.target import Run, Target

_CONFIG = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 64,
}
_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]
_FILES: dict[str, Any] = {
    "config.json": _CONFIG,
    "modules.json": _MODULES,
    "1_Pooling/config.json": {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True},
    "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "model_max_length": 64},
    "sentence_bert_config.json": {"max_seq_length": 64, "do_lower_case": False},
    "config_sentence_transformers.json": {
        "prompts": {"query": "q: "},
        "similarity_fn_name": "cosine",
    },
    "tokenizer.json": {"model": {"type": "WordPiece", "vocab": {"a": 0}}, "added_tokens": []},
    "added_tokens.json": {"[X]": 31},
    "model.safetensors.index.json": {"weight_map": {"a": "model.safetensors"}},
    "adapter_config.json": {"peft_type": "LORA", "base_model_name_or_path": "x"},
    "preprocessor_config.json": {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3},
}
_NAMES = (*_FILES, "model.safetensors")
_USUAL = _NAMES[:6]


def _weights() -> bytes:
    tensors: dict[str, Any] = {
        name: {"dtype": "F32", "shape": [30, 16], "data_offsets": [at, at + 1920]}
        for name, at in (("embeddings.word_embeddings.weight", 0), ("encoder.layer.0.w", 1920))
    }
    header = json.dumps(tensors).encode()
    return struct.pack("<Q", len(header)) + header + bytes(3840)


def _content(name: str) -> bytes:
    return json.dumps(_FILES[name]).encode() if name in _FILES else _weights()


def _directory(work: Path) -> Run:
    """The first byte says which of the files it is."""
    from edgeembed_converters.model_files.before_loading import (
        check_before_loading,
        check_image_directory,
    )

    folder = work / "model"
    (folder / "1_Pooling").mkdir(parents=True)
    for name in (*_USUAL, "model.safetensors"):
        (folder / name).write_bytes(_content(name))

    def run(data: bytes) -> None:
        name = _NAMES[data[0] % len(_NAMES)] if data else _NAMES[0]
        path = folder / name
        path.write_bytes(data[1:])
        try:
            check_before_loading(folder, trust_remote_code=False, pooling_given=False)
            check_image_directory(folder, trust_remote_code=False)
        finally:
            if name in _USUAL or name == "model.safetensors":
                path.write_bytes(_content(name))
            else:
                path.unlink()

    return run


def _seeds(work: Path) -> Sequence[bytes]:
    del work
    return [bytes([number]) + _content(name) for number, name in enumerate(_NAMES)]


MODEL_TARGETS = (Target(name="model-directory", seeds=_seeds, opened=_directory),)
