"""What an index gives back: plain frozen records."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeembed_runtime._internal.public import public


@public
@dataclass(frozen=True, kw_only=True)
class StoredDocument:
    """One document as it was upserted; None where no text or metadata was given."""

    key: str
    document: str | None
    metadata: Mapping[str, Any] | None


@public
@dataclass(frozen=True, kw_only=True)
class Hit:
    """One search result; a higher score is better.

    The score is a cosine in [-1, 1] (mode dense), -bm25 (keyword), or a sum of reciprocal ranks
    (hybrid). Scores of different modes cannot be compared.
    """

    key: str
    score: float
    document: str | None
    metadata: Mapping[str, Any] | None


@public
@dataclass(frozen=True, kw_only=True)
class SegmentStats:
    """One sealed segment; recall@10 and times of one query as measured when it was written.

    None where nothing was measured: a segment that is searched exactly has recall 1.
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
    """The state of an index at one generation; `bytes` counts its files on disk."""

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
    """What verify() looked at and found; an empty `problems` means sound."""

    generation: int
    documents: int
    full: bool
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True when nothing is wrong."""
        return not self.problems
