"""How `edgeembed search` searches, for one query and for many."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed import Hit, Index
from edgeembed.results.answers import Answer, answers_of
from edgeembed.results.duplicates import Folded, search_folded
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.search.query import Likelihood, SearchMode


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What Index.search takes besides the query."""

    k: int = 10
    mode: SearchMode | None = None
    where: dict[str, Any] | None = None
    weight: float | None = None
    rerank: IndexEncoder | None = None
    depth: int = 50
    exact: bool = False
    min_score: float | Likelihood | None = None
    per_file: bool = False
    context: int = 0
    exclude: tuple[str, ...] = ()

    def run(self, index: Index, query: str | NDArray[np.float32]) -> list[Folded]:
        """The k best results, duplicates folded.

        Raises:
            EdgeEmbedError: see Index.search.
        """

        def find(depth: int) -> Sequence[Hit]:
            return index.search(
                query,
                depth,
                where=self.where,
                mode=self.mode,
                weight=self.weight,
                rerank=self.rerank if isinstance(query, str) else None,
                depth=self.depth,
                exact=self.exact,
                min_score=self.min_score,
                distinct="source" if self.per_file else None,
                context=self.context,
                exclude=self.exclude,
            )

        return search_folded(find, self.k)

    def answer(self, index: Index, query: str, encoder: IndexEncoder) -> Iterator[list[Answer]]:
        """The results at once, highlighted by words; then again, highlighted by meaning."""
        folded = self.run(index, query)
        yield answers_of(query, folded)
        yield answers_of(query, folded, encoder)
