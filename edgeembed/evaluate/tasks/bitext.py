"""Bitext mining: is the nearest text in the other language the translation?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeembed.evaluate.datasets.pairs import read_translations
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.tasks.registry import TaskSource, register_task
from edgeembed.evaluate.tasks.task import Observed, OnStep, Values, fingerprint


@dataclass(frozen=True, kw_only=True)
class Bitext:
    """Accuracy of finding a text's translation; rows: left to right, right to left (0 or 1)."""

    name: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    kind = "bitext"
    metric = "accuracy"
    is_quality = True

    @property
    def fingerprint(self) -> str:
        """See `Task`."""
        return fingerprint(self.kind, [self.left, self.right])

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`; of texts that occur twice, either is right."""
        on_step(f"{self.name}: encoding")
        scores = np.nan_to_num(
            model.compare(model.encode(self.left, "plain"), model.encode(self.right, "plain")),
            nan=-np.inf,
        )
        forth = [self.right[n] == own for n, own in zip(scores.argmax(1), self.right, strict=True)]
        back = [self.left[n] == own for n, own in zip(scores.argmax(0), self.left, strict=True)]
        return Observed(values=np.stack([forth, back], axis=1).astype(np.float64))

    def score(self, values: Values) -> float:
        """See `Task`."""
        return 100 * float(values.mean())

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`."""
        forth, back = 100 * values.mean(axis=0)
        return {"left to right": float(forth), "right to left": float(back)}


@register_task("bitext")
def open_bitext(source: TaskSource) -> Bitext:
    """Open pairs of translations."""
    left, right = read_translations(source.path)
    return Bitext(name=source.path.stem, left=left, right=right)
