"""The bundle: a trained encoder as a directory of plain files, described by a manifest."""

from edgeembed_runtime.bundle.files import MANIFEST_NAME, Bundle, rewrite_manifest, write_bundle
from edgeembed_runtime.bundle.golden import Golden
from edgeembed_runtime.bundle.manifest import FileEntry, Manifest, Source
from edgeembed_runtime.bundle.preprocess import Preprocess
from edgeembed_runtime.bundle.search_profile import Calibration, SearchProfile
from edgeembed_runtime.bundle.towers import (
    Fidelity,
    ImageTower,
    Modality,
    TextTower,
    Tower,
    Variant,
)
from edgeembed_runtime.bundle.words import Subwords, UnknownWord, Words

__all__ = [
    "MANIFEST_NAME",
    "Bundle",
    "Calibration",
    "Fidelity",
    "FileEntry",
    "Golden",
    "ImageTower",
    "Manifest",
    "Modality",
    "Preprocess",
    "SearchProfile",
    "Source",
    "Subwords",
    "TextTower",
    "Tower",
    "UnknownWord",
    "Variant",
    "Words",
    "rewrite_manifest",
    "write_bundle",
]
