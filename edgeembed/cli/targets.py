"""Options that several commands share, and telling a bundle from an index."""

from pathlib import Path
from typing import Annotated

import typer

from edgeembed import Encoder
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.layout import CATALOG

DEFAULT_INDEX = Path("edgeembed.index")

IndexPath = Annotated[
    Path, typer.Option("--index", "-i", envvar="EDGEEMBED_INDEX", help="The index directory.")
]
ModelPath = Annotated[
    Path | None,
    typer.Option("--model", "-m", envvar="EDGEEMBED_MODEL", help="The bundle to encode with."),
]
VariantName = Annotated[
    str, typer.Option("--variant", help="fp32, int8, ...; by default what suits this machine.")
]


def is_index(path: Path) -> bool:
    """Whether there is an index in the directory `path`."""
    return (path / CATALOG).exists()


def load_model(model: Path | None, hint: str | None, variant: str = "auto") -> Encoder:
    """Load the bundle that was named, or else the one that the index remembers.

    Raises:
        InputError: neither is given.
    """
    chosen = model or (Path(hint) if hint else None)
    if chosen is None:
        raise InputError(
            "model: expected a bundle, got none; pass --model BUNDLE, or set EDGEEMBED_MODEL"
        )
    return Encoder.load(chosen, variant=variant)
