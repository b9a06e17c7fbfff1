"""Agreement: does a model find the same neighbors as the reference? Needs no labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edgeembed.evaluate.datasets.table import Table
from edgeembed.evaluate.datasets.texts import is_plain_text, read_plain_texts
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.tasks.registry import TaskSource, register_task
from edgeembed.evaluate.tasks.task import Observed, OnStep, Values, fingerprint
from edgeembed_runtime.errors import InputError

NEIGHBORS = 10
_BLOCK = 1000


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Overlap of each text's 10 nearest neighbors with the reference's.

    Rows: the overlap, and whether the nearest neighbor is the same.

    The reference itself scores 100.
    """

    name: str
    texts: tuple[str, ...]
    reference: Model
    kind = "agreement"
    metric = "overlap@10"
    is_quality = True

    @property
    def fingerprint(self) -> str | None:
        """See `Task`; None if the reference has no key."""
        key = self.reference.key
        return None if key is None else fingerprint(self.kind, self.texts, reference=key)

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`."""
        on_step(f"{self.name}: encoding")
        expected = self._expected
        found = expected if model is self.reference else neighbors(model, self.texts)
        shared = [len(np.intersect1d(a, b)) for a, b in zip(expected, found, strict=True)]
        same = expected[:, 0] == found[:, 0]
        return Observed(values=np.stack([np.array(shared) / found.shape[1], same], axis=1))

    @cached_property
    def _expected(self) -> NDArray[np.intp]:
        return neighbors(self.reference, self.texts)

    def score(self, values: Values) -> float:
        """See `Task`."""
        return 100 * float(values[:, 0].mean())

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`."""
        return {"same nearest": 100 * float(values[:, 1].mean())}


def _has_plain_texts(table: Table) -> bool:
    return table.has("text") and not table.has("label")


@register_task("agreement", matches_path=is_plain_text, matches_table=_has_plain_texts)
def open_agreement(source: TaskSource) -> Agreement:
    """Open texts without labels."""
    texts = read_plain_texts(source.path)
    return Agreement(name=source.path.stem, texts=texts, reference=source.reference)


def neighbors(model: Model, texts: tuple[str, ...]) -> NDArray[np.intp]:
    """The row numbers of each text's nearest neighbors, itself excluded, best first: (n, k).

    Raises:
        InputError: the model has no vector for a text.
    """
    vectors = model.encode(texts, "plain")
    if np.isnan(vectors).any():
        row = int(np.flatnonzero(np.isnan(vectors).any(axis=1))[0])
        raise InputError(f"{model.name}: has no vector for {texts[row]!r:.80}")
    count = min(NEIGHBORS, len(texts) - 1)
    rows: list[NDArray[np.intp]] = []
    for start in range(0, len(texts), _BLOCK):
        scores = model.compare(vectors[start : start + _BLOCK], vectors)
        scores[np.arange(len(scores)), np.arange(start, start + len(scores))] = -np.inf
        rows.append(np.argsort(-scores, axis=1, kind="stable")[:, :count])
    return np.concatenate(rows)
