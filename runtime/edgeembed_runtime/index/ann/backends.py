"""The libraries that a segment may be searched with."""

from collections.abc import Mapping

from edgeembed_runtime.index.ann.annoy import Annoy
from edgeembed_runtime.index.ann.backend import AnnBackend, AnnName
from edgeembed_runtime.index.ann.usearch import Usearch

BACKENDS: Mapping[AnnName, AnnBackend] = {"usearch": Usearch(), "annoy": Annoy()}
"""By name, the one that most often wins first."""
