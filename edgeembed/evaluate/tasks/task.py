"""The protocol of tasks."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeembed.evaluate.models.model import Model

Values = NDArray[np.float64]
# Called with a short description when a long step starts.
OnStep = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What was observed of a model: (n, m), a row of numbers per item; and notes for the report.

    An item that the model cannot handle, such as an unknown word, is a row of NaN.
    """

    values: Values
    notes: tuple[str, ...] = ()


class Task(Protocol):
    """A data set and a way to score a model on it.

    `score` depends on the observed rows alone, so that resampling them (bootstrap) gives confidence
    intervals. Where `is_quality` is true, scores are in points from 0 to 100, higher is better;
    otherwise the score only describes the model, and no budget applies.
    """

    @property
    def name(self) -> str:
        """The name in reports: the data set's."""
        ...

    @property
    def kind(self) -> str:
        """What it measures: similarity, retrieval, ..."""
        ...

    @property
    def metric(self) -> str:
        """The name of the score."""
        ...

    @property
    def is_quality(self) -> bool:
        """Whether a higher score means a better model."""
        ...

    @property
    def fingerprint(self) -> str | None:
        """A hash of the data and all settings that scores depend on; None if unknown."""
        ...

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """Run the model on every item.

        Raises:
            InputError: the model cannot do this task.
        """
        ...

    def score(self, values: Values) -> float:
        """The score of observed rows, in any order; NaN if undefined."""
        ...

    def details(self, values: Values) -> Mapping[str, float]:
        """More metrics, by name."""
        ...


def fingerprint(kind: str, data: Any, *, version: int = 1, **settings: float | str) -> str:
    """A hash of a task; raise `version` when the same data would be observed differently."""
    tree = [kind, version, data, sorted(settings.items())]
    return hashlib.sha256(json.dumps(tree, default=_plain).encode()).hexdigest()


def known(values: Values) -> Values:
    """The rows without NaN."""
    return values[~np.isnan(values).any(axis=1)]


def left_out(values: Values, what: str) -> tuple[str, ...]:
    """A note on the rows of NaN, if there are any."""
    count = int(np.isnan(values).any(axis=1).sum())
    return (f"{count} of {len(values)} {what}",) if count else ()


def _plain(value: object) -> Any:
    return vars(value) if hasattr(value, "__dict__") else str(value)
