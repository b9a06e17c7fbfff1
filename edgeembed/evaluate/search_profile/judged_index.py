"""An index of a judged data set, searched as people search theirs."""

import contextlib
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed import Encoder, Hit, Index
from edgeembed.evaluate.datasets.judgments import Judgments
from edgeembed.evaluate.metrics.ranking import ndcg
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.search.query import SearchMode

DEPTH = 10
_BATCH = 1000
# Nobody meant them as operators of a search.
_OPERATORS = re.compile(r'["\u201c\u201d\u201e]|(?<!\S)-(?=\w)')


@dataclass(frozen=True, kw_only=True)
class JudgedQuery:
    """A query that has an answer: its vector, and the gains of documents above 0 by key."""

    text: str
    vector: NDArray[np.float32]
    gains: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class BestHit:
    """The best hit of a query; `has_answer` is false where the index has nothing for it."""

    cosine: float
    relevant: bool
    has_answer: bool


@dataclass(frozen=True, kw_only=True)
class JudgedIndex:
    """An index, and the queries that it answers."""

    name: str
    index: Index
    queries: tuple[JudgedQuery, ...]
    documents: int

    def ndcg(self, *, mode: SearchMode = "hybrid", weight: float | None = None) -> float:
        """Mean nDCG@10 in points, 0 to 100."""
        scores = [
            ndcg(
                np.array(
                    [
                        query.gains.get(hit.key, 0.0)
                        for hit in self._hits(query, mode=mode, weight=weight)
                    ]
                ),
                np.array(list(query.gains.values())),
                DEPTH,
            )
            for query in self.queries
        ]
        return 100 * float(np.mean(scores))

    def best_hits(
        self, weight: float, strangers: Sequence[JudgedQuery] = ()
    ) -> list[tuple[BestHit, ...]]:
        """For each query its best hit, and that of a query for which there is nothing here.

        That is one of the strangers, in turn. Without any it is the same query, whose relevant
        documents are left out: harder, because what remains is often about the same. Nothing that
        was found by words alone, and has no vector, is among them.

        Args:
            weight: the share of the cosine in hybrid search.
            strangers: queries of other data sets.
        """
        found: list[tuple[BestHit, ...]] = []
        for number, query in enumerate(self.queries):
            if strangers:
                without = self._hits(strangers[number % len(strangers)], weight=weight, k=1)
            else:
                without = self._hits(query, weight=weight, k=1, exclude=tuple(query.gains))
            found.append(
                (
                    *_best(self._hits(query, weight=weight, k=1), query, has_answer=True),
                    *_best(without, None, has_answer=False),
                )
            )
        return found

    def _hits(
        self,
        query: JudgedQuery,
        *,
        mode: SearchMode = "hybrid",
        weight: float | None = None,
        k: int = DEPTH,
        exclude: Sequence[str] = (),
    ) -> list[Hit]:
        return self.index.search(
            query.text,
            k,
            vector=None if mode == "keyword" else query.vector,
            mode=mode,
            weight=weight,
            exact=True,
            exclude=exclude,
        )


@contextlib.contextmanager
def judged_index(
    name: str, judgments: Judgments, encoder: Encoder, folder: Path, *, max_queries: int, seed: int
) -> Generator[JudgedIndex]:
    """Index a data set at `folder`, which must not exist.

    Of the queries that have a relevant document, and a word that the encoder knows, `max_queries`
    are drawn.

    Raises:
        InputError: there are no such queries.
    """
    # A document's id may be its text, which is no key.
    keys = {document: str(place) for place, document in enumerate(judgments.documents)}
    with Index.create(folder, encoder=encoder) as index:
        ids = list(keys)
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            index.upsert(
                [keys[each] for each in batch],
                documents=[judgments.body(each) for each in batch],
                titles=[judgments.titles.get(each) for each in batch],
            )
        queries = _queries(name, judgments, encoder, keys, max_queries, seed)
        yield JudgedIndex(name=name, index=index, queries=queries, documents=len(ids))


def _queries(
    name: str,
    judgments: Judgments,
    encoder: Encoder,
    keys: dict[str, str],
    max_queries: int,
    seed: int,
) -> tuple[JudgedQuery, ...]:
    gains = {
        query: {keys[document]: gain for document, gain in judged.items() if gain > 0}
        for query, judged in judgments.gains.items()
    }
    ids = [query for query, above_0 in gains.items() if above_0]
    texts = [_OPERATORS.sub(" ", judgments.queries[query]) for query in ids]
    known = [n for n, knows in enumerate(encoder.knows(texts)) if knows and texts[n].strip()]
    if not known:
        raise InputError(
            f"{name}: expected queries with a relevant document and known words, found none"
        )
    if len(known) > max_queries:
        drawn = np.random.default_rng(seed).choice(len(known), max_queries, replace=False)
        known = [known[n] for n in sorted(drawn.tolist())]
    vectors = encoder.encode_query([texts[n] for n in known])
    return tuple(
        JudgedQuery(text=texts[n], vector=vector, gains=gains[ids[n]])
        for n, vector in zip(known, vectors, strict=True)
    )


def _best(hits: Sequence[Hit], query: JudgedQuery | None, *, has_answer: bool) -> list[BestHit]:
    gains = {} if query is None else query.gains
    return [
        BestHit(cosine=hit.cosine, relevant=hit.key in gains, has_answer=has_answer)
        for hit in hits
        if hit.cosine is not None
    ]
