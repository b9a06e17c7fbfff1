"""Bias: WEAT. It describes a model; no budget applies."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeembed.evaluate.datasets.word_lists import (
    AssociationTest,
    WordGroup,
    is_json,
    read_association_test,
)
from edgeembed.evaluate.metrics.association import (
    associations,
    effect_size,
    permutation_p_value,
    projections,
)
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.tasks.registry import TaskSource, register_task
from edgeembed.evaluate.tasks.task import Observed, OnStep, Values, fingerprint, known, left_out
from edgeembed_runtime.errors import InputError

_SAMPLES = 10_000
_WORD_LISTS = Path(__file__).parents[1] / "word_lists"


@dataclass(frozen=True, kw_only=True)
class Bias:
    """The WEAT effect size; rows: a target word's group (0 or 1), association and projection.

    Positive: the first targets are closer to the first attributes.
    """

    test: AssociationTest
    seed: int = 0
    kind = "bias"
    metric = "effect size"
    is_quality = False

    @property
    def name(self) -> str:
        """See `Task`."""
        return self.test.name

    @property
    def fingerprint(self) -> str:
        """See `Task`."""
        return fingerprint(self.kind, self.test)

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`; unknown attribute words are left out."""
        on_step(f"{self.name}: encoding")
        a, b = (_known_vectors(model, group) for group in self.test.attributes)
        x, y = (
            model.encode(group.words, "plain").astype(np.float64) for group in self.test.targets
        )
        words = np.concatenate([x, y])
        groups = np.repeat([0.0, 1.0], [len(x), len(y)])
        values = np.stack([groups, associations(words, a, b), projections(words, a, b)], axis=1)
        for number, group in enumerate(self.test.targets):
            if not (known(values)[:, 0] == number).any():
                raise InputError(f"{self.name}: {model.name} knows no word of {group.name!r}")
        return Observed(values=values, notes=left_out(values, "target words are unknown"))

    def score(self, values: Values) -> float:
        """See `Task`."""
        x, y = _groups(values, 1)
        return effect_size(x, y) if len(x) and len(y) else float("nan")

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`; `p` is one-sided; projections are group means on the bias direction."""
        x, y = _groups(values, 1)
        first, second = (group.name for group in self.test.targets)
        on_x, on_y = _groups(values, 2)
        return {
            "p": permutation_p_value(x, y, samples=_SAMPLES, seed=self.seed),
            f"projection of {first}": float(on_x.mean()),
            f"projection of {second}": float(on_y.mean()),
        }


@register_task("bias", matches_path=is_json, bundled=_WORD_LISTS)
def open_bias(source: TaskSource) -> Bias:
    """Open the word lists of one association test."""
    return Bias(test=read_association_test(source.path), seed=source.seed)


def _known_vectors(model: Model, group: WordGroup) -> Values:
    vectors = known(model.encode(group.words, "plain").astype(np.float64))
    if not len(vectors):
        raise InputError(f"{model.name}: knows no word of {group.name!r}")
    return vectors


def _groups(values: Values, column: int) -> tuple[Values, Values]:
    rows = known(values)
    return rows[rows[:, 0] == 0, column], rows[rows[:, 0] == 1, column]
