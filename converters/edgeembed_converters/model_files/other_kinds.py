"""Models that are no encoders of one dense vector: named for what they are, and refused."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeembed_converters.model_files.files import read_json
from edgeembed_runtime.errors import UnsupportedModelError

_SPARSE = "a sparse encoder (SPLADE or its kind), whose vectors are as long as the vocabulary"
_LATE = "a late-interaction model (ColBERT), which has a vector for every token"
_CROSS = "a cross-encoder, which scores pairs of texts and has no vectors"
# What sentence-transformers and PyLate write as model_type.
_SAVED_AS = {
    "SparseEncoder": _SPARSE,
    "CrossEncoder": _CROSS,
    "MultiVectorEncoder": _LATE,
    "ColBERT": _LATE,
}
_MODULES = {
    "MLMTransformer": _SPARSE,
    "SpladePooling": _SPARSE,
    "SparseAutoEncoder": _SPARSE,
    "CSRSparsity": _SPARSE,
    "SparseStaticEmbedding": _SPARSE,
    "IDF": _SPARSE,
    "LogitScore": _CROSS,
    "MultiVectorMask": _LATE,
    "TokenPooling": _LATE,
}
_TASKS = {
    "fill-mask": _SPARSE,
    "sequence-classification": _CROSS,
    "text-generation": _CROSS,
    "any-to-any": _CROSS,
    "retrieval": _LATE,
}
# Architectures by how their names end, with a trained head on top of the token vectors.
_HEADS = {
    "ForMaskedLM": "a masked language model",
    "ForPreTraining": "a pretrained language model",
    "WithLMHeadModel": "a masked language model",
    "ForTokenClassification": "a classifier of tokens",
    "ForQuestionAnswering": "a model that finds answers in a text",
    "ForQuestionAnsweringSimple": "a model that finds answers in a text",
    "ForMultipleChoice": "a model that chooses an answer",
    "ForNextSentencePrediction": "a model that says whether a sentence follows another",
}
# Encoder-decoders whose encoder sentence-transformers loads alone.
_WITH_ENCODER = frozenset({
    "t5", "mt5", "umt5", "udop", "longt5", "prophetnet", "switch_transformers", "blenderbot",
    "blenderbot-small", "m2m_100", "pegasus", "pegasus_x", "marian", "t5gemma", "t5gemma2",
})  # fmt: skip


def refuse_other_kinds(
    directory: Path, config: Mapping[str, Any], types: Sequence[str], *, pooling_given: bool
) -> None:
    """Refuse what is another kind of model than an encoder of one dense vector.

    Args:
        directory: of the whole model.
        config: the transformers config.json, empty if there is none.
        types: those of modules.json, empty if there is none.
        pooling_given: whether the user said how to pool: then a model with the head of another task
            is taken for its token vectors.

    Raises:
        UnsupportedModelError: it is another kind; the message says which.
    """
    kind = _saved_kind(directory, config, types)
    if kind is None and config.get("model_type") == "dpr":
        kind = "a DPR encoder, which has no token vectors; save its BERT model on its own"
    if kind is None and _is_whole_encoder_decoder(config):
        kind = (
            f"an encoder-decoder ({config.get('model_type')}) whose encoder cannot be loaded alone"
        )
    if kind is not None:
        raise UnsupportedModelError(f"{directory}: expected a text encoder, got {kind}")
    if not types:
        _refuse_heads(directory, config, pooling_given)


def _saved_kind(directory: Path, config: Mapping[str, Any], types: Sequence[str]) -> str | None:
    saved_as = read_json(directory / "config_sentence_transformers.json").get("model_type")
    if isinstance(saved_as, str) and saved_as in _SAVED_AS:
        return _SAVED_AS[saved_as]
    if "HF_ColBERT" in _architectures(config) or (directory / "artifact.metadata").is_file():
        return _LATE
    for kind in types:
        if kind.startswith("pylate."):
            return _LATE
        if kind.rpartition(".")[2] in _MODULES:
            return _MODULES[kind.rpartition(".")[2]]
        if kind.startswith("sentence_transformers.sparse_encoder."):
            return _SPARSE
    if "sbert_ce_default_activation_function" in config or "sentence_transformers" in config:
        return _CROSS
    task = read_json(directory / "sentence_bert_config.json").get("transformer_task")
    return _TASKS.get(task) if isinstance(task, str) else None


def _is_whole_encoder_decoder(config: Mapping[str, Any]) -> bool:
    if config.get("is_encoder_decoder") is not True or "auto_map" in config:
        return False
    only_encoder = any(
        name.endswith(("EncoderModel", "Encoder")) for name in _architectures(config)
    )
    return config.get("model_type") not in _WITH_ENCODER and not only_encoder


def _refuse_heads(directory: Path, config: Mapping[str, Any], pooling_given: bool) -> None:
    for name in _architectures(config):
        if name.endswith("ForSequenceClassification"):
            raise UnsupportedModelError(
                f"{directory}: expected a text encoder, got a cross-encoder or classifier "
                f"({name}), which has scores and no vectors; where its token vectors are meant, "
                "take architectures out of config.json and pass pooling='mean'"
            )
        heads = [kind for end, kind in _HEADS.items() if name.endswith(end)]
        if heads and not pooling_given:
            raise UnsupportedModelError(
                f"{directory}: expected a text encoder, got {heads[0]} ({name}): nothing says how "
                "its token vectors become one vector, and a SPLADE model has sparse ones; pass "
                "pooling='mean' (or another) if they are to be pooled"
            )


def _architectures(config: Mapping[str, Any]) -> list[str]:
    names = config.get("architectures")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
