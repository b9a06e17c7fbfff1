"""Opens bundles and indexes by the names that users give."""

from pathlib import Path

from edgeembed import Encoder
from edgeembed.search.encoders import load_encoder
from edgeembed_runtime.bundle import Modality
from edgeembed_runtime.bundle.packaged import bundle_directory
from edgeembed_runtime.index.base.layout import CATALOG


def is_index(path: Path) -> bool:
    """Whether there is an index in the directory `path`."""
    return (path / CATALOG).exists()


def load_model(
    model: Path | None, hint: str | None, variant: str = "auto", only: Modality | None = None
) -> Encoder:
    """Load the named bundle, or else the one that the index remembers, or the default.

    With `only`, just the tower of that modality is loaded.

    Raises:
        InputError: the bundle does not encode `only`.
    """
    return load_encoder(bundle_path(model, hint), variant, only)


def bundle_path(model: Path | None, hint: str | None) -> Path:
    """The named bundle, or else the one that the index remembers, or the default."""
    return model or bundle_directory(hint or None)
