"""From cosine to probability: a logistic curve fitted to best hits, and how good it is.

What a person sees first has to be called by its right name, so the curve is fitted to the best hit
of each query, not to the ten best: among those, a relevant hit stands out from the nine beside it,
which makes the curve too steep (measured: docs/notes/answers.md). A later hit is a little less
likely than the curve says. Beside every query stands one for which there is nothing; it is assumed
that nine of ten questions that people ask of an index have an answer there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed.evaluate.search_profile.judged_index import BestHit
from edgeembed_runtime.bundle import Calibration
from edgeembed_runtime.index.search.query import LIKELIHOODS

FOLDS = 5
ANSWERED = 0.9
"""The assumed share of queries that have an answer."""
_BINS = 10

Floats = NDArray[np.float64]
JudgedSets = Mapping[str, Sequence[tuple[BestHit, ...]]]
"""By data set, the best hits of each query: with its answers, and without."""


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
class RatedHits:
    """Best hits with their probabilities; (hits,) each."""

    probabilities: Floats
    relevant: NDArray[np.bool_]
    has_answer: NDArray[np.bool_]

    @property
    def weights(self) -> Floats:
        """(hits,) how much each counts, with a sum of 1."""
        return _weights(self.has_answer)


def fit_calibration(sets: JudgedSets) -> Calibration | None:
    """Fit the curve; every data set counts the same. None if cosines say nothing of relevance."""
    from sklearn.linear_model import LogisticRegression

    cosines, relevant, shares = _best_of(sets)
    if len(np.unique(relevant)) < 2 or np.ptp(cosines) == 0:
        return None
    mean, deviation = float(cosines.mean()), float(cosines.std())
    model = LogisticRegression()
    model.fit(((cosines - mean) / deviation)[:, None], relevant, sample_weight=shares)
    slope = float(np.ravel(model.coef_)[0]) / deviation
    if slope <= 0:
        return None
    intercept = float(np.ravel(model.intercept_)[0])
    return Calibration(slope=slope, intercept=intercept - slope * mean)


def reliability(best: RatedHits) -> Reliability:
    """How far these probabilities can be trusted."""
    p, true, weights = best.probabilities, best.relevant.astype(np.float64), best.weights
    bins = np.minimum((p * _BINS).astype(np.intp), _BINS - 1)
    gaps = [abs(float((weights * (p - true))[bins == each].sum())) for each in range(_BINS)]
    mean = float(weights @ true)
    return Reliability(
        brier=float(weights @ (p - true) ** 2),
        brier_of_mean=float(weights @ (mean - true) ** 2),
        calibration_error=sum(gaps),
        errors=tuple(
            Errors(
                at=at,
                false_alarms=_share((p >= at)[~best.has_answer]),
                misses=_share((p < at)[best.has_answer]),
            )
            for at in sorted(LIKELIHOODS.values())
        ),
    )


def rated(queries: Sequence[tuple[BestHit, ...]], calibration: Calibration) -> RatedHits:
    """The best hits of queries, and how likely each is relevant."""
    hits = [hit for both in queries for hit in both]
    return RatedHits(
        probabilities=np.array([calibration.probability(hit.cosine) for hit in hits], np.float64),
        relevant=np.array([hit.relevant for hit in hits], np.bool_),
        has_answer=np.array([hit.has_answer for hit in hits], np.bool_),
    )


def cross_validated(sets: JudgedSets, *, seed: int) -> dict[str, RatedHits] | None:
    """For each data set its best hits, with probabilities fitted to the other queries.

    None if any of the fits fails.
    """
    rng = np.random.default_rng(seed)
    folds = {name: rng.permutation(len(queries)) % FOLDS for name, queries in sets.items()}
    found: dict[str, list[RatedHits]] = {name: [] for name in sets}
    for fold in range(FOLDS):
        fitted = fit_calibration(_chosen(sets, {n: each != fold for n, each in folds.items()}))
        if fitted is None:
            return None
        held_out = _chosen(sets, {n: each == fold for n, each in folds.items()})
        for name, queries in held_out.items():
            found[name].append(rated(queries, fitted))
    return {name: joined(parts) for name, parts in found.items()}


def joined(parts: Sequence[RatedHits]) -> RatedHits:
    """The best hits of all parts."""
    return RatedHits(
        probabilities=np.concatenate([part.probabilities for part in parts]),
        relevant=np.concatenate([part.relevant for part in parts]),
        has_answer=np.concatenate([part.has_answer for part in parts]),
    )


def _chosen(sets: JudgedSets, masks: Mapping[str, NDArray[np.bool_]]) -> JudgedSets:
    return {
        name: [queries[n] for n in np.flatnonzero(masks[name]).tolist()]
        for name, queries in sets.items()
    }


def _best_of(sets: JudgedSets) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Cosines, relevance and weights of best hits; all weights of a data set have one sum."""
    parts = [[hit for both in queries for hit in both] for queries in sets.values()]
    parts = [part for part in parts if part]
    hits = [hit for part in parts for hit in part]
    shares = [
        _weights(np.array([hit.has_answer for hit in part], np.bool_)) * len(hits) / len(parts)
        for part in parts
    ]
    return (
        np.array([hit.cosine for hit in hits], np.float64),
        np.array([hit.relevant for hit in hits], np.bool_),
        np.concatenate(shares) if shares else np.empty(0),
    )


def _weights(has_answer: NDArray[np.bool_]) -> Floats:
    """Weights of one sum, of which hits with an answer have the share ANSWERED."""
    counts = np.where(has_answer, has_answer.sum(), (~has_answer).sum())
    weights = np.where(has_answer, ANSWERED, 1 - ANSWERED) / np.maximum(counts, 1)
    return weights / weights.sum() if len(weights) else weights


def _share(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else 0.0
