"""Trained embedding models on the edge: encode and search, offline. See README.md.

The names are loaded when they are first used: an app that only searches never loads onnxruntime.
"""

import importlib
from typing import TYPE_CHECKING

from edgeembed_runtime.errors import EdgeEmbedError
from edgeembed_runtime.version import __version__

if TYPE_CHECKING:
    from edgeembed_runtime.cache import EmbeddingCache
    from edgeembed_runtime.encoder import Encoder
    from edgeembed_runtime.index import Hit, Index
    from edgeembed_runtime.vectors import calibration_ranges

__all__ = [
    "EdgeEmbedError",
    "EmbeddingCache",
    "Encoder",
    "Hit",
    "Index",
    "__version__",
    "calibration_ranges",
]

_HOMES = {
    "EmbeddingCache": "edgeembed_runtime.cache",
    "Encoder": "edgeembed_runtime.encoder",
    "Hit": "edgeembed_runtime.index",
    "Index": "edgeembed_runtime.index",
    "calibration_ranges": "edgeembed_runtime.vectors",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'edgeembed' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted(__all__)
