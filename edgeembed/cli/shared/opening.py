"""Opens bundles and indexes by the names that users give."""

from pathlib import Path

from edgeembed import Encoder
from edgeembed_runtime.bundle import Bundle, Modality
from edgeembed_runtime.bundle.files import default_bundle
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
    chosen = bundle_path(model, hint)
    if only is None:
        return Encoder.load(chosen, variant=variant)
    manifest = Bundle.open(chosen).manifest
    if only == "image":
        manifest.image_tower()
    else:
        manifest.text_tower()
    return Encoder.load(chosen, variant=variant, modalities=(only,))


def bundle_path(model: Path | None, hint: str | None) -> Path:
    """The named bundle, or else the one that the index remembers, or the default."""
    return model or (Path(hint) if hint else default_bundle())
