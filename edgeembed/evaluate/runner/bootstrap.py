"""Confidence intervals of scores: a paired bootstrap, with the same samples for every model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeembed.evaluate.tasks.task import Task, Values

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A 95 % interval; NaN if no sample has a score."""

    low: float
    high: float


def resampled_scores(task: Task, values: Sequence[Values], *, draws: int, seed: int) -> Values:
    """Scores of models on the same random samples of a task's items: (models, draws).

    `values` are the rows observed of each model, item by item; items are drawn with replacement.
    Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13; for pairs: Sakai,
    SIGIR 2006.
    """
    count = len(values[0])
    rng = np.random.default_rng(seed)
    scores = np.empty((len(values), draws))
    for draw in range(draws):
        chosen = rng.integers(0, count, count)
        scores[:, draw] = [task.score(rows[chosen]) for rows in values]
    return scores


def interval(scores: Values) -> Interval:
    """The middle 95 % of the scores, NaN ignored."""
    found = scores[~np.isnan(scores)]
    if not len(found):
        return Interval(low=float("nan"), high=float("nan"))
    edge = (1 - LEVEL) / 2
    low, high = np.quantile(found, [edge, 1 - edge])
    return Interval(low=float(low), high=float(high))
