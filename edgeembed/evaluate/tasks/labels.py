"""Labels: can a classifier learn them from the vectors, and do clusters match them?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed.evaluate.datasets.texts import LabeledTexts, has_labels, read_labeled_texts
from edgeembed.evaluate.models.model import Model
from edgeembed.evaluate.tasks.registry import TaskSource, register_task
from edgeembed.evaluate.tasks.task import Observed, OnStep, Values, fingerprint

_MAX_FOLDS = 5
_MAX_ITERATIONS = 1000
_RESTARTS = 10


@dataclass(frozen=True, kw_only=True)
class Classification:
    """Cross-validated accuracy of logistic regression on frozen vectors; rows: label, prediction.

    Each text is predicted by the model that was not trained on it; folds are stratified.
    """

    name: str
    data: LabeledTexts
    seed: int = 0
    kind = "classification"
    metric = "accuracy"
    is_quality = True

    @property
    def fingerprint(self) -> str:
        """See `Task`."""
        return fingerprint(self.kind, self.data, seed=self.seed)

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold, cross_val_predict

        on_step(f"{self.name}: encoding {len(self.data.texts)} texts")
        vectors = model.features(self.data.texts)
        labels = label_numbers(self.data.labels)
        count = min(_MAX_FOLDS, int(np.bincount(labels).min()))
        on_step(f"{self.name}: training, {count} folds")
        folds = StratifiedKFold(count, shuffle=True, random_state=self.seed)
        learner = LogisticRegression(max_iter=_MAX_ITERATIONS)
        answers = np.asarray(cross_val_predict(learner, vectors, labels, cv=folds))
        return Observed(values=np.stack([labels, answers], axis=1).astype(np.float64))

    def score(self, values: Values) -> float:
        """See `Task`."""
        return 100 * float((values[:, 0] == values[:, 1]).mean())

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`."""
        from sklearn.metrics import f1_score

        return {"macro f1": 100 * float(f1_score(values[:, 0], values[:, 1], average="macro"))}


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """V-measure of k-means with as many clusters as labels; rows: label, cluster.

    Source: Rosenberg & Hirschberg, EMNLP 2007.
    """

    name: str
    data: LabeledTexts
    seed: int = 0
    kind = "clustering"
    metric = "v-measure"
    is_quality = True

    @property
    def fingerprint(self) -> str:
        """See `Task`."""
        return fingerprint(self.kind, self.data, seed=self.seed)

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`."""
        from sklearn.cluster import KMeans

        on_step(f"{self.name}: encoding {len(self.data.texts)} texts")
        vectors = model.features(self.data.texts)
        labels = label_numbers(self.data.labels)
        restarts: Any = _RESTARTS  # scikit-learn's own type says "auto" only
        means = KMeans(int(labels.max()) + 1, n_init=restarts, random_state=self.seed)
        on_step(f"{self.name}: clustering")
        return Observed(values=np.stack([labels, means.fit_predict(vectors)], axis=1).astype(float))

    def score(self, values: Values) -> float:
        """See `Task`."""
        from sklearn.metrics import v_measure_score

        return 100 * float(v_measure_score(values[:, 0], values[:, 1]))

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`."""
        from sklearn.metrics import adjusted_rand_score

        return {"adjusted rand": 100 * float(adjusted_rand_score(values[:, 0], values[:, 1]))}


@register_task("classification", matches_table=has_labels)
def open_classification(source: TaskSource) -> Classification:
    """Open labeled texts."""
    data = read_labeled_texts(source.path)
    return Classification(name=source.path.stem, data=data, seed=source.seed)


@register_task("clustering")
def open_clustering(source: TaskSource) -> Clustering:
    """Open labeled texts."""
    data = read_labeled_texts(source.path)
    return Clustering(name=source.path.stem, data=data, seed=source.seed)


def label_numbers(labels: tuple[str, ...]) -> NDArray[np.intp]:
    """Labels as numbers from 0, in alphabetical order: (n,)."""
    return np.unique(np.array(labels), return_inverse=True)[1]
