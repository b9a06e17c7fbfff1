"""From cosine to probability: a logistic curve fitted to judged hits, and how good it is.

The slope comes from all hits, which are many; the intercept from the best hit of each query, so
that the curve is right on average about what people see first. That equals fitting with weights of
the two classes (King and Zeng, 2001: Logistic Regression in Rare Events Data, section 4): they
move the intercept alone. Every query counts twice, once with its answers and once without: half of
what is asked has no answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed.evaluate.search_profile.judged_index import JudgedHits
from edgeembed_runtime.bundle import Calibration
from edgeembed_runtime.index.search.query import LIKELIHOODS

FOLDS = 5
_BINS = 10
_MAX_LOGIT = 60.0
_HALVINGS = 80

Floats = NDArray[np.float64]
JudgedSets = Mapping[str, Sequence[tuple[JudgedHits, JudgedHits]]]
"""By data set, the hits of each query with its answers and without."""


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Shares of queries: `false_alarms` of those without an answer, `misses` of those with one.

    A query is answered if its best hit reaches the probability `at`.
    """

    at: float
    false_alarms: float
    misses: float


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """How good the probabilities of best hits are.

    Attributes:
        brier: mean squared difference from what is true (Brier, 1950); 0 is perfect.
        brier_of_mean: the same if every hit got the mean share of relevant hits.
        calibration_error: expected calibration error over ten bins of equal width (Naeini et al.,
            2015); 0 is perfect.
        errors: at the probabilities that have names.
    """

    brier: float
    brier_of_mean: float
    calibration_error: float
    errors: tuple[Errors, ...]


@dataclass(frozen=True, kw_only=True)
class BestHits:
    """The best hit of each query: whether it is relevant, and whether the query has an answer."""

    probabilities: Floats
    relevant: NDArray[np.bool_]
    has_answer: NDArray[np.bool_]


def fit_calibration(sets: JudgedSets) -> Calibration | None:
    """Fit the curve; every data set counts the same. None if cosines say nothing of relevance."""
    from sklearn.linear_model import LogisticRegression

    hits = {name: [each for both in pairs for each in both] for name, pairs in sets.items()}
    cosines, relevant, shares = _pooled(hits, depth=None)
    if len(np.unique(relevant)) < 2 or np.ptp(cosines) == 0:
        return None
    mean, deviation = float(cosines.mean()), float(cosines.std())
    model = LogisticRegression()
    model.fit(((cosines - mean) / deviation)[:, None], relevant, sample_weight=shares)
    slope = float(model.coef_[0, 0]) / deviation
    if slope <= 0:
        return None
    return Calibration(slope=slope, intercept=_intercept(slope, *_pooled(hits, depth=1)))


def reliability(best: BestHits) -> Reliability:
    """How far these probabilities can be trusted."""
    p, true = best.probabilities, best.relevant.astype(np.float64)
    bins = np.minimum((p * _BINS).astype(np.intp), _BINS - 1)
    gaps = [abs(float((p - true)[bins == each].sum())) for each in range(_BINS)]
    return Reliability(
        brier=float(((p - true) ** 2).mean()),
        brier_of_mean=float(((true.mean() - true) ** 2).mean()),
        calibration_error=sum(gaps) / len(p),
        errors=tuple(
            Errors(
                at=at,
                false_alarms=_share((p >= at)[~best.has_answer]),
                misses=_share((p < at)[best.has_answer]),
            )
            for at in sorted(LIKELIHOODS.values())
        ),
    )


def best_hits(pairs: Sequence[tuple[JudgedHits, JudgedHits]], calibration: Calibration) -> BestHits:
    """The best hits of queries, with and without their answers, and their probabilities."""
    found = [each for both in pairs for each in both if len(each.cosines)]
    return BestHits(
        probabilities=np.array([calibration.probability(float(h.cosines[0])) for h in found]),
        relevant=np.array([hits.relevant[0] for hits in found], np.bool_),
        has_answer=np.array([hits.has_answer for hits in found], np.bool_),
    )


def cross_validated(sets: JudgedSets, *, seed: int) -> dict[str, BestHits] | None:
    """For each data set its best hits, with probabilities fitted to the other queries.

    None if any of the fits fails.
    """
    rng = np.random.default_rng(seed)
    folds = {name: rng.permutation(len(pairs)) % FOLDS for name, pairs in sets.items()}
    found: dict[str, list[BestHits]] = {name: [] for name in sets}
    for fold in range(FOLDS):
        fitted = fit_calibration(_chosen(sets, {n: each != fold for n, each in folds.items()}))
        if fitted is None:
            return None
        held_out = _chosen(sets, {n: each == fold for n, each in folds.items()})
        for name, pairs in held_out.items():
            found[name].append(best_hits(pairs, fitted))
    return {name: joined(parts) for name, parts in found.items()}


def joined(parts: Sequence[BestHits]) -> BestHits:
    """The best hits of all parts."""
    return BestHits(
        probabilities=np.concatenate([part.probabilities for part in parts]),
        relevant=np.concatenate([part.relevant for part in parts]),
        has_answer=np.concatenate([part.has_answer for part in parts]),
    )


def _chosen(sets: JudgedSets, masks: Mapping[str, NDArray[np.bool_]]) -> JudgedSets:
    return {
        name: [pairs[n] for n in np.flatnonzero(masks[name]).tolist()]
        for name, pairs in sets.items()
    }


def _pooled(
    sets: Mapping[str, Sequence[JudgedHits]], *, depth: int | None
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Cosines, relevance and weights of the first hits; all weights of a data set have one sum."""
    parts = [
        (
            np.concatenate([each.cosines[:depth] for each in hits]),
            np.concatenate([each.relevant[:depth] for each in hits]),
        )
        for hits in sets.values()
        if any(len(each.cosines) for each in hits)
    ]
    if not parts:
        return np.empty(0), np.empty(0, np.bool_), np.empty(0)
    total = sum(len(cosines) for cosines, _ in parts)
    shares = [np.full(len(c), total / len(parts) / len(c)) for c, _ in parts]
    cosines, relevant = zip(*parts, strict=True)
    return np.concatenate(cosines), np.concatenate(relevant), np.concatenate(shares)


def _intercept(slope: float, cosines: Floats, relevant: NDArray[np.bool_], shares: Floats) -> float:
    """Where the mean probability is the share of the relevant: the best fit for this slope."""
    # One more of each kind, as Platt has it, so that it is finite.
    target = (float(shares @ relevant) + 1) / (float(shares.sum()) + 2)
    low, high = -_MAX_LOGIT - slope, _MAX_LOGIT + slope
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        logits = np.clip(slope * cosines + middle, -_MAX_LOGIT, _MAX_LOGIT)
        mean = float(shares @ (1 / (1 + np.exp(-logits)))) / float(shares.sum())
        low, high = (middle, high) if mean < target else (low, middle)
    return (low + high) / 2


def _share(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else 0.0
