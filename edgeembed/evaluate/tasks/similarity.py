"""Similarity: do the model's similarities match human scores? Sentences or single words."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeembed.evaluate.datasets.pairs import ScoredPairs, distinct_scores, read_scored_pairs
from edgeembed.evaluate.datasets.table import Table
from edgeembed.evaluate.metrics.similarity import pearson, spearman
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.tasks.registry import TaskSource, register_task
from edgeembed.evaluate.tasks.task import (
    Observed,
    OnStep,
    Values,
    fingerprint,
    known,
    left_out,
)
from edgeembed_runtime.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """Spearman correlation of the model's similarities with human scores; rows: human, model."""

    name: str
    pairs: ScoredPairs
    kind = "similarity"
    metric = "spearman"
    is_quality = True

    @property
    def fingerprint(self) -> str:
        """See `Task`."""
        return fingerprint(self.kind, self.pairs)

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`."""
        on_step(f"{self.name}: encoding")
        return _observed(model, self.pairs)

    def score(self, values: Values) -> float:
        """See `Task`."""
        rows = known(values)
        return 100 * spearman(rows[:, 0], rows[:, 1])

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`."""
        rows = known(values)
        return {"pearson": 100 * pearson(rows[:, 0], rows[:, 1])}


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Average precision of detecting duplicate pairs by similarity; rows: 0 or 1, similarity."""

    name: str
    pairs: ScoredPairs
    kind = "duplicates"
    metric = "average precision"
    is_quality = True

    @property
    def fingerprint(self) -> str:
        """See `Task`."""
        return fingerprint(self.kind, self.pairs)

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`."""
        on_step(f"{self.name}: encoding")
        return _observed(model, self.pairs)

    def score(self, values: Values) -> float:
        """See `Task`."""
        from sklearn.metrics import average_precision_score

        rows = known(values)
        if not 0 < rows[:, 0].sum() < len(rows):
            return float("nan")  # the sample has one class only
        return 100 * float(average_precision_score(rows[:, 0], rows[:, 1]))

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`; the best F1, and the similarity threshold that reaches it."""
        from sklearn.metrics import precision_recall_curve

        rows = known(values)
        precision, recall, thresholds = precision_recall_curve(rows[:, 0], rows[:, 1])
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        best = int(f1[:-1].argmax())
        return {"best f1": 100 * float(f1[best]), "at similarity": float(thresholds[best])}


def _has_graded_pairs(table: Table) -> bool:
    scores = distinct_scores(table)
    return scores is not None and not scores <= {0.0, 1.0}


@register_task("similarity", matches_table=_has_graded_pairs)
def open_similarity(source: TaskSource) -> Similarity:
    """Open scored pairs."""
    return Similarity(name=source.path.stem, pairs=read_scored_pairs(source.path))


def _has_duplicates(table: Table) -> bool:
    scores = distinct_scores(table)
    return scores is not None and scores <= {0.0, 1.0}


@register_task("duplicates", matches_table=_has_duplicates)
def open_duplicates(source: TaskSource) -> Duplicates:
    """Open pairs with scores of 0 and 1.

    Raises:
        InputError: there are other scores.
    """
    pairs = read_scored_pairs(source.path)
    if set(pairs.scores) != {0.0, 1.0}:
        found = sorted(set(pairs.scores))[:5]
        raise InputError(f"{source.path}: expected scores of 0 and 1, got {found}")
    return Duplicates(name=source.path.stem, pairs=pairs)


def _observed(model: Model, pairs: ScoredPairs) -> Observed:
    """The human score and the model's similarity of each pair."""
    distinct = list(dict.fromkeys([*pairs.left, *pairs.right]))
    rows = {text: row for row, text in enumerate(distinct)}
    vectors = model.encode(distinct, "plain")
    left = vectors[[rows[text] for text in pairs.left]]
    right = vectors[[rows[text] for text in pairs.right]]
    values = np.stack([np.array(pairs.scores), model.compare_pairs(left, right)], axis=1)
    return Observed(values=values, notes=left_out(values, "pairs have unknown words"))
