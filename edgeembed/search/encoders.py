"""The encoder of an index: which bundle it remembers, and how that is loaded."""

from pathlib import Path

from edgeembed import Encoder, Index
from edgeembed_runtime.bundle import Bundle, Modality
from edgeembed_runtime.bundle.packaged import PACKAGED, packaged_name


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


def load_encoder(bundle: Path, variant: str = "auto", only: Modality | None = None) -> Encoder:
    """Load a bundle; with `only`, just the tower of that modality.

    Raises:
        BundleError: it cannot be used.
        InputError: it does not encode `only`.
    """
    if only is None:
        return Encoder.load(bundle, variant=variant)
    manifest = Bundle.open(bundle).manifest
    if only == "image":
        manifest.image_tower()
    else:
        manifest.text_tower()
    return Encoder.load(bundle, variant=variant, modalities=(only,))
