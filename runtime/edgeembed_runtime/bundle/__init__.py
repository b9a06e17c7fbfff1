"""The bundle: a trained encoder as a directory of plain files, described by its manifest."""

from edgeembed_runtime.bundle.files import MANIFEST_NAME, Bundle, write_bundle
from edgeembed_runtime.bundle.golden import Golden
from edgeembed_runtime.bundle.manifest import (
    Fidelity,
    FileEntry,
    Manifest,
    Source,
    TextTower,
    Variant,
)

__all__ = [
    "MANIFEST_NAME",
    "Bundle",
    "Fidelity",
    "FileEntry",
    "Golden",
    "Manifest",
    "Source",
    "TextTower",
    "Variant",
    "write_bundle",
]
