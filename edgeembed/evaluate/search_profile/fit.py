"""Fits the search profile of an encoder to judged data sets, and says how good it is."""

import contextlib
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgeembed import Encoder
from edgeembed.evaluate.datasets.judgments import Judgments
from edgeembed.evaluate.search_profile.calibration import (
    RatedHits,
    Reliability,
    cross_validated,
    fit_calibration,
    joined,
    rated,
    reliability,
)
from edgeembed.evaluate.search_profile.judged_index import (
    JudgedIndex,
    JudgedQuery,
    judged_index,
)
from edgeembed.evaluate.search_profile.weights import (
    MAX_LOSS,
    WEIGHTS,
    WeightCurve,
    choose_weight,
)
from edgeembed.evaluate.tasks.task import OnStep
from edgeembed_runtime.bundle import SearchProfile
from edgeembed_runtime.errors import InputError

MIN_QUERIES = 30
"""Fewer judged queries in all say too little."""
MAX_QUERIES = 1000
"""More of a data set take longer; a sample of 250 moved the weight by 0.1."""


@dataclass(frozen=True, kw_only=True)
class SetReport:
    """One data set: what search is worth, and how far probabilities can be trusted there.

    `reliability` is by cross-validation over queries where the profile was fitted on the set, and
    None without a calibration.
    """

    name: str
    queries: int
    documents: int
    fitted: bool
    ndcg: WeightCurve
    gain: float
    """Points of nDCG@10 above the better of dense and keyword search."""
    reliability: Reliability | None


@dataclass(frozen=True, kw_only=True)
class SearchProfileReport:
    """The profile, how it does on each data set, and on all that it was fitted on together."""

    profile: SearchProfile
    sets: tuple[SetReport, ...]
    reliability: Reliability | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As a tree for JSON."""
        return asdict(self)


def fit_search_profile(
    encoder: Encoder,
    judgments: Mapping[str, Judgments],
    *,
    held_out: Mapping[str, Judgments] | None = None,
    profile: SearchProfile | None = None,
    weight: float | None = None,
    max_queries: int = MAX_QUERIES,
    seed: int = 0,
    on_step: OnStep = lambda _: None,
) -> SearchProfileReport:
    """Fit the weight of hybrid search, and the calibration, to judged data sets.

    Every set is indexed in a temporary folder, with titles as titles, and searched at each weight;
    every set counts the same. It needs scikit-learn.

    Args:
        encoder: a text encoder.
        judgments: data sets by name; never those that the result will be judged by.
        held_out: data sets to measure the result on.
        profile: where the rest of the profile comes from; None: the encoder's own.
        weight: keep this one, and fit the calibration alone.
        max_queries: of a data set; if it has more, they are drawn.
        seed: of that and of cross-validation.
        on_step: called with what is being done.

    Raises:
        InputError: no data sets, too few queries with an answer, or one name twice.
    """
    held_out = held_out or {}
    if not judgments:
        raise InputError("judgments: expected a data set or more, got none")
    if doubled := sorted(set(judgments) & set(held_out)):
        raise InputError(f"held_out: expected sets that are not fitted on, got {doubled[0]!r}")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def opened(sets: Mapping[str, Judgments], prefix: str) -> list[JudgedIndex]:
            indexes: list[JudgedIndex] = []
            for number, (name, each) in enumerate(sets.items()):
                on_step(f"{name}: indexing {len(each.documents)} documents")
                place = folder / f"{prefix}{number}"
                made = judged_index(name, each, encoder, place, max_queries=max_queries, seed=seed)
                indexes.append(stack.enter_context(made))
            return indexes

        fitted = opened(judgments, "fit")
        queries = sum(len(each.queries) for each in fitted)
        if queries < MIN_QUERIES:
            raise InputError(
                f"judgments: expected {MIN_QUERIES} queries with an answer or more in all, "
                f"got {queries}"
            )
        tried = WEIGHTS if weight is None else (weight,)
        curves = [_curve(each, tried, on_step) for each in fitted]
        weight = choose_weight(curves) if weight is None else weight
        checked = opened(held_out, "check")
        curves += [_curve(each, (weight,), on_step) for each in checked]
        return _report(
            fitted, checked, curves, replace(profile or encoder.search_profile, weight=weight), seed
        )


def _report(
    fitted: Sequence[JudgedIndex],
    checked: Sequence[JudgedIndex],
    curves: Sequence[WeightCurve],
    profile: SearchProfile,
    seed: int,
) -> SearchProfileReport:
    weight = profile.weight
    every = (*fitted, *checked)
    hits = {each.name: each.best_hits(weight, _strangers(each, every)) for each in fitted}
    calibration = fit_calibration(hits)
    validated = cross_validated(hits, seed=seed) if calibration else None
    seen: dict[str, RatedHits] = dict(validated or {})
    if calibration is not None:
        for each in checked:
            best = each.best_hits(weight, _strangers(each, every))
            seen[each.name] = rated(best, calibration)
    names = {each.name for each in fitted}
    sets = tuple(
        SetReport(
            name=each.name,
            queries=len(each.queries),
            documents=each.documents,
            fitted=each.name in names,
            ndcg=curve,
            gain=curve.gain(weight),
            reliability=reliability(seen[each.name]) if each.name in seen else None,
        )
        for each, curve in zip((*fitted, *checked), curves, strict=True)
    )
    return SearchProfileReport(
        profile=replace(profile, calibration=calibration),
        sets=sets,
        reliability=reliability(joined(list(validated.values()))) if validated else None,
        notes=_notes(sets, has_calibration=calibration is not None),
    )


def _strangers(index: JudgedIndex, indexes: Sequence[JudgedIndex]) -> list[JudgedQuery]:
    """Queries of the other data sets, of each in turn, unless they ask of the same documents."""
    others = [
        each.queries
        for each in indexes
        if each.documents != index.documents and each.name != index.name
    ]
    rounds = itertools.zip_longest(*others)
    return [query for some in rounds for query in some if query is not None]


def _notes(sets: Sequence[SetReport], *, has_calibration: bool) -> tuple[str, ...]:
    notes = [
        f"{each.name}: hybrid search is {-each.gain:.1f} points below the better of its parts"
        for each in sets
        if each.gain < -MAX_LOSS
    ]
    if not has_calibration:
        notes.append("no calibration: cosines do not tell relevant hits from others here")
    return tuple(notes)


def _curve(index: JudgedIndex, weights: Sequence[float], on_step: OnStep) -> WeightCurve:
    on_step(f"{index.name}: searching for {len(index.queries)} queries")
    return WeightCurve(
        dense=index.ndcg(mode="dense"),
        keyword=index.ndcg(mode="keyword"),
        hybrid={weight: index.ndcg(weight=weight) for weight in weights},
    )
