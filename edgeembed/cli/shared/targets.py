"""Options that several commands share, and telling a bundle from an index."""

from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Encoder
from edgeembed_runtime.bundle import Bundle, Modality
from edgeembed_runtime.bundle.files import default_bundle
from edgeembed_runtime.index.base.layout import CATALOG

DEFAULT_INDEX = Path("edgeembed.index")
MODEL_VARIABLE = "EDGEEMBED_MODEL"

IndexPath = Annotated[
    Path, typer.Option("--index", "-i", envvar="EDGEEMBED_INDEX", help="The index directory.")
]
ModelPath = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        envvar=MODEL_VARIABLE,
        help="The bundle to encode with; by default the one in the package.",
    ),
]
VariantName = Annotated[
    str, typer.Option("--variant", help="fp32, int8, ...; by default what suits this machine.")
]


def is_index(path: Path) -> bool:
    """Whether there is an index in the directory `path`."""
    return (path / CATALOG).exists()


def load_model(
    model: Path | None, hint: str | None, variant: str = "auto", only: Modality | None = None
) -> Encoder:
    """Load the bundle that was named, or else the one that the index remembers, or the default.

    `only` is what will be encoded: of a bundle for texts and images the other half stays unread.

    Raises:
        InputError: it does not encode `only`.
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
    """The bundle that was named, or else the one that the index remembers, or the default."""
    return model or (Path(hint) if hint else default_bundle())
