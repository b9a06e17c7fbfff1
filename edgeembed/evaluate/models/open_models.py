"""From what people name on the command line to models."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edgeembed.evaluate.models.bundle import BundleModel, suitable_variants
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.models.pytorch import SentenceTransformerModel
from edgeembed.evaluate.models.word_vectors import WordVectors
from edgeembed_runtime.bundle import MANIFEST_NAME
from edgeembed_runtime.errors import InputError

_WORD_VECTORS = (".txt", ".vec")


def open_models(names: Sequence[str]) -> list[Model]:
    """Open models by what people call them.

    A bundle ("path" for all its variants that run here, or "path@int8"), a directory of
    sentence-transformers, transformers or Optimum, or a text file of word vectors.

    Raises:
        InputError: it is none of them, or two models have one name.
        BundleError, MissingExtraError: it cannot be loaded.
    """
    models = [model for name in names for model in _open(name)]
    doubled = [name for name, count in Counter(m.name for m in models).items() if count > 1]
    if doubled:
        raise InputError(f"models: expected different ones, got {doubled[0]!r} twice")
    return models


def _open(name: str) -> list[Model]:
    path, _, variant = name.rpartition("@")
    if path and (Path(path) / MANIFEST_NAME).is_file():
        return [BundleModel(Path(path), variant)]
    whole = Path(name)
    if (whole / MANIFEST_NAME).is_file():
        return [BundleModel(whole, each) for each in suitable_variants(whole)]
    if whole.is_file() and whole.suffix.lower() in _WORD_VECTORS:
        return [WordVectors(whole)]
    if (whole / "config.json").is_file():
        onnx = any(whole.glob("*.onnx")) and not any(whole.glob("*.safetensors"))
        return [SentenceTransformerModel(whole, "onnx" if onnx else "torch")]
    found = "a file" if whole.is_file() else "a directory" if whole.is_dir() else "nothing"
    raise InputError(
        f"model {name}: expected a bundle, a sentence-transformers or Optimum directory, or a "
        f"text file of word vectors, found {found}"
    )
