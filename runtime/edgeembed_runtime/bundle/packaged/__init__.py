"""The bundles that ship inside the package, by the names that `Encoder.load` takes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PackagedName = Literal["default", "static"]


@dataclass(frozen=True, kw_only=True)
class PackagedBundle:
    """A bundle inside the package: its name, its directory, and what it is for in a few words."""

    name: PackagedName
    path: Path
    purpose: str


_HERE = Path(__file__).parent
PACKAGED: Mapping[str, PackagedBundle] = {
    bundle.name: bundle
    for bundle in (
        PackagedBundle(
            name="default",
            path=_HERE / "all-MiniLM-L6-v2",
            purpose="good answers; English",
        ),
        PackagedBundle(
            name="static",
            path=_HERE / "static",
            purpose="speed, at lower quality; English",
        ),
    )
}
"""By name, the default first."""
DEFAULT = PACKAGED["default"]


def bundle_directory(bundle: str | os.PathLike[str] | None) -> Path:
    """The directory that `bundle` means: a packaged one by its name, or a path as it is.

    None is the default. Only a string is a name: "static" is the packaged bundle, "./static" and
    `Path("static")` are folders.
    """
    if bundle is None:
        return DEFAULT.path
    known = PACKAGED.get(bundle) if isinstance(bundle, str) else None
    return Path(bundle) if known is None else known.path


def packaged_name(path: Path) -> PackagedName | None:
    """The name of the packaged bundle in this directory; None if it is none of them."""
    return next((each.name for each in PACKAGED.values() if each.path == path), None)
