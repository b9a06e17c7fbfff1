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
_MILLISECONDS = frozenset({"cold_ms", "warm_ms"})


def table_of(data: DataSet, measured: Mapping[str, Measured]) -> str:
    """One data set, a line for each system; shares in percent."""
    head = f"**{data.name}**: {len(data.documents)} documents, {len(data.queries)} queries"
    lines = [_line("", *_COLUMNS.values()), _line(*["---"] * (1 + len(_COLUMNS)))]
    for name, each in measured.items():
        values = _values(each)
        lines.append(_line(name, *(_shown(column, values[column]) for column in _COLUMNS)))
    return "\n".join([head, "", *lines])


def summary(results: Mapping[str, Mapping[str, Measured]], kinds: Mapping[str, str]) -> str:
    """All data sets: nDCG@10 where documents are passages, right place first in files."""
    names = list(dict.fromkeys(name for measured in results.values() for name in measured))
    heads = [
        f"{data}, {'nDCG@10' if kinds[data] == 'passages' else 'place first'}" for data in results
    ]
    lines = [_line("", *heads), _line(*["---"] * (1 + len(heads)))]
    for name in names:
        cells = []
        for data, measured in results.items():
            column = "ndcg" if kinds[data] == "passages" else "place_first"
            cells.append(
                _shown(column, _values(measured[name])[column]) if name in measured else ""
            )
        lines.append(_line(name, *cells))
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
