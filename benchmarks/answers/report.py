"""The tables of a run, in Markdown, and its figures for JSON."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from benchmarks.answers.data_sets.data_set import DataSet
from benchmarks.answers.measure import Measured

_COLUMNS = {
    "ndcg": "nDCG@10",
    "recall": "recall@10",
    "document_first": "right document first",
    "place_first": "right place first",
    "auc": "nothing there: AUC",
    "false_alarms": "false alarms",
    "misses": "misses",
    "cold_ms": "ms cold",
    "warm_ms": "ms warm",
}
_MAIN = {"passages": "ndcg", "files": "place_first"}
_MILLISECONDS = frozenset({"cold_ms", "warm_ms"})


def table_of(data: DataSet, measured: Mapping[str, Measured]) -> str:
    """One data set, a line for each system; shares in percent."""
    head = f"**{data.name}**: {len(data.documents)} documents, {len(data.queries)} queries"
    lines = [_line("", *_COLUMNS.values()), _line(*["---"] * (1 + len(_COLUMNS)))]
    for name, each in measured.items():
        values = _values(each)
        lines.append(_line(name, *(_shown(column, values[column]) for column in _COLUMNS)))
    return "\n".join([head, "", *lines])


def summary(sets: Mapping[str, Any]) -> str:
    """All data sets of `figures_of`: nDCG@10 of passages, right place first in files."""
    columns = {name: _MAIN[each["kind"]] for name, each in sets.items()}
    heads = [f"{name}, {_COLUMNS[column]}" for name, column in columns.items()]
    lines = [_line("", *heads), _line(*["---"] * (1 + len(heads)))]
    for system in dict.fromkeys(name for each in sets.values() for name in each["systems"]):
        values = [
            sets[name]["systems"].get(system, {}).get(column) for name, column in columns.items()
        ]
        cells = [_shown(column, v) for column, v in zip(columns.values(), values, strict=True)]
        lines.append(_line(system, *cells))
    return "\n".join(lines)


def speed_table(speeds: Mapping[str, float]) -> str:
    """Seconds per 1,000 passages."""
    lines = [_line("index", "seconds per 1,000 passages"), _line("---", "---")]
    return "\n".join([*lines, *(_line(name, f"{each:.2f}") for name, each in speeds.items())])


def figures_of(data: DataSet, measured: Mapping[str, Measured]) -> dict[str, Any]:
    """One data set for JSON."""
    return {
        "kind": data.kind,
        "documents": len(data.documents),
        "queries": len(data.queries),
        "systems": {
            name: {
                "passages": each.passages,
                **{
                    key: None if value is None else round(value, 4)
                    for key, value in _values(each).items()
                },
            }
            for name, each in measured.items()
        },
    }


def _values(measured: Measured) -> dict[str, float | None]:
    """All figures of a system by the names of the columns."""
    return {
        **dataclasses.asdict(measured.ranking),
        **dataclasses.asdict(measured.nothing_there),
        "cold_ms": measured.cold_ms,
        "warm_ms": measured.warm_ms,
    }


def _shown(column: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if column in _MILLISECONDS else f"{100 * value:.1f}"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
