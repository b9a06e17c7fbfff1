"""Every system over one data set: rankings, what it says where nothing is there, and times."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.answers.data_sets.data_set import DataSet
from benchmarks.answers.metrics import DEPTH, Scores, auc, mean_scores, scores
from benchmarks.answers.systems.system import Found, System

# Queries that a system answers before the next one has its turn, and those that are asked again.
_TURN = 20
_WARM = 100


@dataclass(frozen=True, kw_only=True)
class NothingThere:
    """How well the first hit tells queries that have an answer from queries that have none.

    `auc` is by its score. `false_alarms` are the queries without an answer where it passes the
    system's own threshold, `misses` those with an answer where it does not; None without one.
    """

    auc: float
    false_alarms: float | None
    misses: float | None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Of one system on one data set: shares from 0 to 1, and median milliseconds of a query."""

    passages: int
    ranking: Scores
    nothing_there: NothingThere
    cold_ms: float
    warm_ms: float


def measure(
    data: DataSet, systems: Sequence[System], on_step: Callable[[str], None]
) -> dict[str, Measured]:
    """Measure all systems that suit the data set, in turns; by their names."""
    suited = [system for system in systems if system.multilingual or not data.multilingual]
    passages = {}
    for system in suited:
        on_step(f"{data.name}: {system.name} is indexing {len(data.documents)} documents")
        passages[system.name] = system.index(data)
    on_step(f"{data.name}: {len(data.queries)} queries")
    answers, cold = ask(suited, data.queries)
    again = dict(list(data.queries.items())[:_WARM])
    _, warm = ask(suited, again)
    on_step(f"{data.name}: {len(data.absent)} queries whose answers are gone")
    reduced = data.without(data.absent)
    for system in suited:
        system.index(reduced)
    without, _ = ask(suited, data.queries)
    found = {}
    for system in suited:
        name = system.name
        each = [scores(data, query, hits) for query, hits in answers[name].items()]
        found[name] = Measured(
            passages=passages[name],
            ranking=mean_scores(each),
            nothing_there=nothing_there(reduced, data.absent, without[name]),
            cold_ms=1e3 * statistics.median(cold[name]),
            warm_ms=1e3 * statistics.median(warm[name]),
        )
    return found


def ask(
    systems: Sequence[System], queries: Mapping[str, str]
) -> tuple[dict[str, dict[str, Sequence[Found]]], dict[str, list[float]]]:
    """Hits by system and query, and the seconds of each search; systems take turns."""
    answers: dict[str, dict[str, Sequence[Found]]] = {system.name: {} for system in systems}
    seconds: dict[str, list[float]] = {system.name: [] for system in systems}
    for start in range(0, len(queries), _TURN):
        turn = list(queries.items())[start : start + _TURN]
        for system in systems:
            for query, text in turn:
                began = time.perf_counter()
                answers[system.name][query] = system.search(text, DEPTH)
                seconds[system.name].append(time.perf_counter() - began)
    return answers, seconds


def nothing_there(
    data: DataSet, absent: frozenset[str], answers: Mapping[str, Sequence[Found]]
) -> NothingThere:
    """Compare the queries in `absent` with those that `data` answers."""
    present = [query for query in answers if query not in absent and data.gains[query]]
    first = {query: hits[0] if hits else None for query, hits in answers.items()}
    # No hit at all is the plainest way to say that there is nothing.
    worth = {query: hit.score if hit else -np.inf for query, hit in first.items()}
    has_threshold = any(hit is not None and hit.fits is not None for hit in first.values())
    passed = {query: hit is not None and hit.fits is True for query, hit in first.items()}
    return NothingThere(
        auc=auc([worth[q] for q in present], [worth[q] for q in absent]),
        false_alarms=_share(passed[q] for q in absent) if has_threshold else None,
        misses=_share(not passed[q] for q in present) if has_threshold else None,
    )


def indexing_speed(
    data: DataSet, systems: Sequence[System], documents: int, rounds: int
) -> dict[str, float]:
    """Seconds per 1,000 passages by index, medians over rounds in which each takes its turn."""
    sample = replace(data, documents=data.documents[:documents])
    sides = {system.index_name: system for system in reversed(systems)}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, system in sides.items():
            seconds, passages = system.time_indexing(sample)
            times[name].append(1000 * seconds / passages)
    return {name: statistics.median(each) for name, each in times.items()}


def _share(values: Iterable[bool]) -> float:
    return statistics.fmean(values)
