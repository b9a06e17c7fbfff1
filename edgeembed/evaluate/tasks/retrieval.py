"""Retrieval over a corpus, and reranking of a query's own candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed.evaluate.datasets.judgments import (
    Judgments,
    RankedQuery,
    is_beir,
    read_judgments,
    read_ranked_queries,
)
from edgeembed.evaluate.datasets.table import Table
from edgeembed.evaluate.metrics.ranking import average_precision, ndcg, recall, reciprocal_rank
from edgeembed.evaluate.models.model import Model, Vectors
from edgeembed.evaluate.tasks.registry import TaskSource, register_task
from edgeembed.evaluate.tasks.task import Observed, OnStep, Values, fingerprint
from edgeembed_runtime.errors import InputError

MAX_DEPTH = 100
_METRICS = ("ndcg@10", "recall@10", "recall@100", "mrr@10", "map@100")
# Documents compared at once with all queries.
_BLOCK = 20_000


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """nDCG@10 over a whole corpus; rows: the metrics of a query, in the order of `_METRICS`."""

    name: str
    judgments: Judgments
    kind = "retrieval"
    metric = "ndcg@10"
    is_quality = True

    @property
    def fingerprint(self) -> str:
        """See `Task`."""
        return fingerprint(self.kind, self.judgments)

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`; ties go to the document that is first in the corpus."""
        ids, documents = zip(*self.judgments.documents.items(), strict=True)
        judged = {
            query: gains for query, gains in self.judgments.gains.items() if max(gains.values()) > 0
        }
        if not judged:
            raise InputError(f"{self.name}: expected a query with a relevant document, found none")
        on_step(f"{self.name}: encoding {len(judged)} queries")
        queries = model.encode([self.judgments.queries[query] for query in judged], "query")
        on_step(f"{self.name}: encoding {len(documents)} documents")
        found = _nearest(model, queries, model.encode(documents, "document"))
        rows = [
            _query_scores([gains.get(ids[place], 0.0) for place in places], list(gains.values()))
            for gains, places in zip(judged.values(), found.tolist(), strict=True)
        ]
        skipped = len(self.judgments.queries) - len(judged)
        notes = (
            (f"{skipped} queries left out: no document is judged relevant to them",)
            if skipped
            else ()
        )
        return Observed(values=np.array(rows), notes=notes)

    def score(self, values: Values) -> float:
        """See `Task`."""
        return 100 * float(values[:, 0].mean())

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`."""
        means = 100 * values.mean(axis=0)
        return dict(zip(_METRICS[1:], means[1:].tolist(), strict=True))


@dataclass(frozen=True, kw_only=True)
class Reranking:
    """Mean average precision of reranking each query's candidates; rows: map, mrr@10."""

    name: str
    queries: tuple[RankedQuery, ...]
    kind = "reranking"
    metric = "map"
    is_quality = True

    @property
    def fingerprint(self) -> str:
        """See `Task`."""
        return fingerprint(self.kind, self.queries)

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`."""
        on_step(f"{self.name}: encoding")
        queries = model.encode([item.query for item in self.queries], "query")
        texts = list(dict.fromkeys(t for q in self.queries for t in (*q.positive, *q.negative)))
        places = {text: place for place, text in enumerate(texts)}
        documents = model.encode(texts, "document")
        rows: list[list[float]] = []
        for item, query in zip(self.queries, queries, strict=True):
            own = documents[[places[text] for text in (*item.positive, *item.negative)]]
            gains = np.array([1.0] * len(item.positive) + [0.0] * len(item.negative))
            # Ties rank negatives first: a model that tells nothing apart earns nothing.
            scores = model.compare(query[None], own)[0]
            ranked = gains[np.lexsort((gains, -scores))]
            every = len(gains)
            rows.append([average_precision(ranked, gains, every), reciprocal_rank(ranked, 10)])
        return Observed(values=np.array(rows))

    def score(self, values: Values) -> float:
        """See `Task`."""
        return 100 * float(values[:, 0].mean())

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`."""
        return {"mrr@10": 100 * float(values[:, 1].mean())}


def _has_judged_pairs(table: Table) -> bool:
    return table.has("query", "document")


@register_task("retrieval", matches_path=is_beir, matches_table=_has_judged_pairs)
def open_retrieval(source: TaskSource) -> Retrieval:
    """Open a folder in BEIR's form, or a table of queries and documents."""
    return Retrieval(name=source.path.stem, judgments=read_judgments(source.path))


def _has_ranked_queries(table: Table) -> bool:
    return table.has("query", "positive", "negative")


@register_task("reranking", matches_table=_has_ranked_queries)
def open_reranking(source: TaskSource) -> Reranking:
    """Open queries with documents that answer them and documents that do not."""
    return Reranking(name=source.path.stem, queries=read_ranked_queries(source.path))


def _query_scores(found: Sequence[float], judged: Sequence[float]) -> list[float]:
    gains, every = np.array(found), np.array(judged)
    return [
        ndcg(gains, every, 10),
        recall(gains, every, 10),
        recall(gains, every, 100),
        reciprocal_rank(gains, 10),
        average_precision(gains, every, 100),
    ]


def _nearest(model: Model, queries: Vectors, documents: Vectors) -> NDArray[np.intp]:
    """The row numbers of the `MAX_DEPTH` documents nearest to each query, best first: (q, k)."""
    scores = np.empty((len(queries), 0), np.float32)
    places = np.empty((len(queries), 0), np.intp)
    for start in range(0, len(documents), _BLOCK):
        block = model.compare(queries, documents[start : start + _BLOCK])
        block = np.nan_to_num(block, nan=-np.inf)  # documents without a vector come last
        numbers = np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)
        scores = np.concatenate([scores, block], axis=1)
        places = np.concatenate([places, numbers], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :MAX_DEPTH]
        scores = np.take_along_axis(scores, best, axis=1)
        places = np.take_along_axis(places, best, axis=1)
    return places
