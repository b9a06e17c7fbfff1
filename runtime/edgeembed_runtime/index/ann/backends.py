"""The libraries that a segment may be searched with."""

from collections.abc import Mapping

from edgeembed_runtime.index.ann import AnnBackend, AnnName
from edgeembed_runtime.index.annoy_file import Annoy
from edgeembed_runtime.index.usearch_file import Usearch

BACKENDS: Mapping[AnnName, AnnBackend] = {"usearch": Usearch(), "annoy": Annoy()}
"""By name, the one that most often wins first."""
