"""What a ranking is worth: whole rankings, the first hit, and whether there is an answer at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from benchmarks.answers.data_sets.data_set import DataSet
from benchmarks.answers.systems.system import Found
from edgeembed.evaluate.metrics.ranking import ndcg, recall

DEPTH = 10
# Characters of a passage that a reader takes in at a glance.
_AT_A_GLANCE = 1000


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Of a query: nDCG@10 and recall@10 of the documents, and the first hit's worth; 0 to 1."""

    ndcg: float
    recall: float
    document_first: float
    place_first: float


def scores(data: DataSet, query: str, found: Sequence[Found]) -> Scores:
    """Score the hits of one query; of a document's passages the best counts."""
    judged = data.document_gains[query]
    ranked = list(dict.fromkeys(hit.document for hit in found))
    gains = np.array([judged.get(key, 0.0) for key in ranked[:DEPTH]], np.float64)
    every = np.array(list(judged.values()), np.float64)
    return Scores(
        ndcg=ndcg(gains, every, DEPTH),
        recall=recall(gains, every, DEPTH),
        document_first=float(len(gains) > 0 and gains[0] > 0),
        place_first=float(bool(found) and is_right_place(data, query, found[0])),
    )


def mean_scores(each: Sequence[Scores]) -> Scores:
    """The mean over queries."""
    return Scores(
        ndcg=fmean(one.ndcg for one in each),
        recall=fmean(one.recall for one in each),
        document_first=fmean(one.document_first for one in each),
        place_first=fmean(one.place_first for one in each),
    )


def is_right_place(data: DataSet, query: str, hit: Found) -> bool:
    """Whether a hit shows an answer.

    At least half of the passage lies in a section that answers; or it holds half of a short
    section or more, and is itself short enough to be taken in at a glance.
    """
    for key in data.gains[query]:
        document, section = data.places[key]
        if document != hit.document:
            continue
        shared = min(hit.end, section.end) - max(hit.start, section.start)
        length = hit.end - hit.start
        if 2 * shared >= max(1, length):
            return True
        if length <= _AT_A_GLANCE and 2 * shared >= section.end - section.start:
            return True
    return False


def auc(present: Sequence[float], absent: Sequence[float]) -> float:
    """The probability that a query with an answer scores above one without; ties count half."""
    if not present or not absent:
        return float("nan")
    higher = np.greater.outer(np.array(present), np.array(absent))
    equal = np.equal.outer(np.array(present), np.array(absent))
    return float(higher.mean() + 0.5 * equal.mean())
