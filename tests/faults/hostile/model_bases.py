"""Sound tiny models, of every kind of directory that is read, to be damaged afterwards."""

from pathlib import Path
from typing import Any

import torch

from helpers.model_zoo import TinyModels

_VISION: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "image_size": 16, "patch_size": 8,
}  # fmt: skip


def write_bases(folder: Path) -> dict[str, Path]:
    """Directories by kind."""
    folder.mkdir()
    tiny = TinyModels(folder)
    plain = tiny.transformers("bert")
    return {
        "plain": plain,
        "sentence": tiny.sentence("sentence", head=({"out_features": 16},), normalize=True),
        "static": _static(tiny),
        "vision": _vision(tiny.new_path("vision")),
        "adapter": _adapter(tiny.new_path("adapter"), plain),
    }


def _static(tiny: TinyModels) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    torch.manual_seed(3)
    table = modules.StaticEmbedding(tiny.wordpiece(), embedding_dim=16)
    path = tiny.new_path("static")
    SentenceTransformer(modules=[table], device="cpu").save(str(path))
    return path


def _vision(path: Path) -> Path:
    import transformers

    torch.manual_seed(4)
    model = transformers.ViTModel(transformers.ViTConfig(**_VISION), add_pooling_layer=False)
    model.eval().save_pretrained(path)
    processor = transformers.ViTImageProcessor(size={"height": 16, "width": 16})
    processor.save_pretrained(path)
    return path


def _adapter(path: Path, base: Path) -> Path:
    """An adapter that names a sound base; most of its cases name another."""
    import json
    import shutil

    from safetensors.torch import save_file

    shutil.copytree(base, path, ignore=shutil.ignore_patterns("model.safetensors", "config.json"))
    name = "base_model.model.encoder.layer.0.attention.self.query.lora_{}.weight"
    save_file(
        {name.format("A"): torch.zeros(2, 32), name.format("B"): torch.zeros(32, 2)},
        path / "adapter_model.safetensors",
    )
    settings = {
        "peft_type": "LORA", "base_model_name_or_path": str(base), "r": 2, "lora_alpha": 2,
        "target_modules": ["query"], "task_type": "FEATURE_EXTRACTION",
    }  # fmt: skip
    (path / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return path
