"""Trained embedding models on the edge: encode and search, offline. See README.md."""

from edgeembed_runtime.encoder import Encoder as Encoder
from edgeembed_runtime.errors import EdgeEmbedError as EdgeEmbedError
from edgeembed_runtime.index import Hit as Hit
from edgeembed_runtime.index import Index as Index
from edgeembed_runtime.version import __version__ as __version__

__all__ = ["EdgeEmbedError", "Encoder", "Hit", "Index", "__version__"]
