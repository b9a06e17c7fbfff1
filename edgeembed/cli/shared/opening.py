"""Opens bundles and indexes by the names that users give."""

from pathlib import Path

from edgeembed import Encoder, Index
from edgeembed_runtime.bundle import Bundle, Modality
from edgeembed_runtime.bundle.packaged import PACKAGED, bundle_directory, packaged_name
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
    return model or bundle_directory(hint or None)


def bundle_info(encoder: Encoder) -> dict[str, str]:
    """What an index remembers of the bundle that made it: its path, or its name in the package."""
    return {"bundle": named(encoder.path)}


def named(bundle: Path) -> str:
    """What to remember of a bundle: its name in the package, or its absolute path."""
    # What is in the package may be elsewhere tomorrow, in another installation.
    return packaged_name(bundle) or str(bundle.absolute())


def remembered_bundle(index: Index) -> str | None:
    """The bundle that an index remembers, as a path; None if it remembers none.

    Of those in the package, the one of the index's space: earlier versions had another default,
    which they remembered as "".
    """
    hint = index.info.get("bundle")
    if hint and hint not in PACKAGED:
        return hint
    for packaged in PACKAGED.values():
        if Bundle.open(packaged.path).manifest.space == index.space:
            return str(packaged.path)
    return None
