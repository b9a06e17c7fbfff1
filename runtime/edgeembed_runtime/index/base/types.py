"""What an index returns: plain frozen records."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeembed_runtime._internal.public import public


@public
@dataclass(frozen=True, kw_only=True)
class StoredDocument:
    """A document as it was upserted; None where it has no text or metadata."""

    key: str
    document: str | None
    metadata: Mapping[str, Any] | None


@public
@dataclass(frozen=True, kw_only=True)
class Hit:
    """A search result; a higher score is better.

    The score is a cosine in [-1, 1] (mode dense), -bm25 (keyword), or a sum of reciprocal ranks
    (hybrid). Scores of different modes are not comparable.
    """

    key: str
    score: float
    document: str | None
    metadata: Mapping[str, Any] | None
    title: str = ""
    """"Folder > File > Heading > Subheading", or ""."""
    cosine: float | None = None
    probability: float | None = None
    """The calibrated chance, 0 to 1, that the hit is relevant; None where it is not known."""
    before: str = ""
    """The text of the passages before this one, if neighbors were asked for."""
    after: str = ""


@public
@dataclass(frozen=True, kw_only=True)
class SegmentStats:
    """A sealed segment, with recall@10 and query times as measured when it was written.

    None where nothing was measured. An exact search has recall 1.
    """

    n: int
    dead: int
    bytes: int
    backend: str
    """"exact", or the ANN backend that searches it here."""
    recall: float | None
    exact_ms: float | None
    ann_ms: float | None
    build_parameter: int
    """What the backend was built with; 0 for a segment that is searched exactly."""
    effort: int


@public
@dataclass(frozen=True, kw_only=True)
class IndexStats:
    """The state of an index at one generation; `bytes` is the size of its files on disk."""

    path: Path
    documents: int
    dim: int
    space: str
    generation: int
    bytes: int
    tail_rows: int
    segments: tuple[SegmentStats, ...]


@public
@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """What verify() checked and found; no `problems` means that the index is sound."""

    generation: int
    documents: int
    full: bool
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the index is sound."""
        return not self.problems
