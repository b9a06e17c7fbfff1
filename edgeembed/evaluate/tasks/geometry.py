"""Geometry: how vectors are distributed in space. It describes a model; no budget applies."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeembed.evaluate.datasets.pairs import ScoredPairs, read_scored_pairs
from edgeembed.evaluate.metrics.geometry import (
    alignment,
    anisotropy,
    squared_distances,
    uniformity,
)
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.tasks.registry import TaskSource, register_task
from edgeembed.evaluate.tasks.task import Observed, OnStep, Values, fingerprint, known, left_out

# Share of the range of scores above which two texts count as equivalent.
_ALIKE = 0.8


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Uniformity, alignment and anisotropy.

    Rows: squared distances of a pair and of two random texts, and whether the pair is equivalent.
    """

    name: str
    pairs: ScoredPairs
    seed: int = 0
    kind = "geometry"
    metric = "uniformity"
    is_quality = False

    @property
    def fingerprint(self) -> str:
        """See `Task`."""
        return fingerprint(self.kind, self.pairs, seed=self.seed)

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`."""
        on_step(f"{self.name}: encoding")
        left = model.encode(self.pairs.left, "plain").astype(np.float64)
        right = model.encode(self.pairs.right, "plain").astype(np.float64)
        # Rolled by a random number of rows, so that no text meets its own pair.
        shift = int(np.random.default_rng(self.seed).integers(1, len(left)))
        scores = np.array(self.pairs.scores)
        alike = scores >= scores.min() + _ALIKE * (scores.max() - scores.min())
        columns = [
            squared_distances(left, right),
            squared_distances(left, np.roll(right, shift, 0)),
        ]
        values = np.stack([*columns, alike], axis=1)
        return Observed(values=values, notes=left_out(values, "pairs have unknown words"))

    def score(self, values: Values) -> float:
        """See `Task`."""
        return uniformity(known(values)[:, 1])

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`."""
        rows = known(values)
        return {
            "alignment": alignment(rows[rows[:, 2] > 0, 0]),
            "anisotropy": anisotropy(rows[:, 1]),
        }


@register_task("geometry")
def open_geometry(source: TaskSource) -> Geometry:
    """Open scored pairs."""
    pairs = read_scored_pairs(source.path)
    return Geometry(name=source.path.stem, pairs=pairs, seed=source.seed)
