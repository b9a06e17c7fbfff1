"""The protocol that every side of the comparison stands behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.answers.data_sets.data_set import DataSet, Document


@dataclass(frozen=True, kw_only=True)
class Found:
    """A hit: the characters from `start` to `end` of a document, and a score, higher is better.

    `fits` says whether the system itself takes the hit for an answer, by its default threshold;
    None if it has none.
    """

    document: str
    start: int
    end: int
    score: float
    fits: bool | None = None


class System(Protocol):
    """Indexes documents, and finds passages of them."""

    @property
    def name(self) -> str:
        """What it is called in the tables."""
        ...

    @property
    def index_name(self) -> str:
        """What its index is called: ways to search that share an index share this name."""
        ...

    @property
    def multilingual(self) -> bool:
        """Whether it encodes many languages."""
        ...

    def index(self, data: DataSet) -> int:
        """Replace what is indexed; the number of passages. Vectors of earlier runs are used."""
        ...

    def time_indexing(self, data: DataSet) -> tuple[float, int]:
        """Seconds to index `data` beside the rest, without vectors of earlier runs; passages."""
        ...

    def search(self, query: str, k: int) -> Sequence[Found]:
        """The best passages, best first; the query is always encoded anew."""
        ...

    def close(self) -> None:
        """Let go of files and memory."""
        ...


def with_title(document: Document) -> str:
    """Title, a space and text, as in BEIR, for systems that have no place for titles."""
    return f"{document.title} {document.text}".strip()
