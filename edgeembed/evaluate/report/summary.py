"""What all forms of the report share: means, formatted numbers, and the whole as JSON."""

import math
from dataclasses import asdict
from typing import Any, cast

from edgeembed.evaluate.runner.bootstrap import Interval
from edgeembed.evaluate.runner.evaluation import Evaluation, Measured


def mean_score(evaluation: Evaluation, model: str) -> float:
    """The mean of a model's scores over the tasks that measure quality; NaN without any."""
    scores = [task.measured[model].score for task in evaluation.quality_tasks]
    return sum(scores) / len(scores) if scores else math.nan


def number(value: float, digits: int = 2, *, sign: bool = False) -> str:
    """A formatted number; a dash for NaN."""
    if math.isnan(value):
        return "–"
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"


def span(interval: Interval, *, sign: bool = False) -> str:
    """A formatted interval."""
    return f"{number(interval.low, sign=sign)} to {number(interval.high, sign=sign)}"


def is_sure(measured: Measured) -> bool:
    """Whether the difference from the reference is significant: 0 is outside its interval."""
    if measured.difference is None:
        return False
    found = measured.difference.interval
    return found.low > 0 or found.high < 0


def remarks(evaluation: Evaluation) -> list[str]:
    """Notes on what was left out or is undefined, once if they hold for all models."""
    lines: list[str] = []
    for task in evaluation.tasks:
        models_of: dict[str, list[str]] = {}
        for model, found in task.measured.items():
            for note in found.notes:
                models_of.setdefault(note, []).append(model)
        for note, models in models_of.items():
            whose = "" if len(models) == len(task.measured) else f", {', '.join(models)}"
            lines.append(f"{task.name}{whose}: {note}")
    return lines


def as_tree(evaluation: Evaluation) -> dict[str, Any]:
    """The whole evaluation for JSON; undefined numbers are null."""
    return cast(dict[str, Any], _without_nan(asdict(evaluation)))


def _without_nan(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_nan(value) for key, value in cast(dict[str, Any], tree).items()}
    if isinstance(tree, list | tuple):
        return [_without_nan(value) for value in cast(list[Any], tree)]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree
