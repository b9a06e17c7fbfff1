"""What an index returns: plain frozen records."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeembed_runtime._internal.public import public


@public
@dataclass(frozen=True, kw_only=True)
class StoredDocument:
    """A document as it was upserted; None where it has no text, metadata or title."""

    key: str
    document: str | None
    metadata: Mapping[str, Any] | None
    title: str | None = None


@public
@dataclass(frozen=True, kw_only=True)
class Hit:
    """A search result; a higher score is better.

    Attributes:
        key: the document's.
        score: what the results are ordered by. Mode dense: a cosine in [-1, 1]. Keyword: -bm25, of
            any size. Hybrid and re-scored: a mix in [0, 1], or a sum of reciprocal ranks; it says
            which is better, not how good they are. Hybrid where no document has a word of the
            query: a cosine; where the encoder knows none of them: -bm25.
        document: its text.
        metadata: its metadata.
        title: what it was upserted under, "" without.
        cosine: of the query and the document, by the index's encoder or the re-scoring one; None
            if one of them has no vector.
        probability: how likely the document is relevant, 0 to 1, by the encoder's calibration;
            None without a cosine or a calibration.
        before: the text in front of it in the same source, with `context`; else "".
        after: the text behind it.
    """

    key: str
    score: float
    document: str | None
    metadata: Mapping[str, Any] | None
    title: str = ""
    cosine: float | None = None
    probability: float | None = None
    before: str = ""
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
    """The mean over rows that were left out of the ANN file while it was measured."""
    recall_bound: float | None
    """What recall@1, @10 and @100 are at least, with 99 % confidence each; None, too, where an
    older edgeembed wrote the segment."""
    exact_ms: float | None
    ann_ms: float | None
    build_parameter: int
    """What the backend was built with; 0 for a segment that is searched exactly."""
    effort: int
    """What the backend is asked for where 10 hits are wanted."""


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
    blank: int
    """Documents without a vector, because the encoder knows none of their words."""
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
