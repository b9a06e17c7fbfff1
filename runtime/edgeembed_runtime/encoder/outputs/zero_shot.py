"""Zero-shot image classification."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.arguments import shown
from edgeembed_runtime.bundle import Manifest
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.validation import checked_texts

TEMPLATE = "a photo of a {}"


@public
@dataclass(frozen=True, kw_only=True)
class Classification:
    """The classification of an image.

    Probabilities add up to 1, unless the model was trained to judge each label independently
    (SigLIP: its bundle has a `logit_bias`).

    Attributes:
        label: the most likely label.
        probability: its probability.
        probabilities: the probability of every label, best first.
    """

    label: str
    probability: float
    probabilities: Mapping[str, float]


def label_texts(labels: Sequence[str], template: str) -> list[str]:
    """Return the labels as texts for the model.

    Raises:
        InputError: labels are missing, duplicate or not strings, or the template has no {}.
    """
    if not isinstance(cast(object, template), str) or "{}" not in template:
        raise InputError(f"template: expected a text that contains {{}}, got {shown(template)}")
    if isinstance(labels, str) or not isinstance(cast(object, labels), Sequence):
        raise InputError(f"labels: expected a list of texts, got {shown(labels)}")
    texts = checked_texts(labels, "labels")
    if not texts or len(set(texts)) < len(texts):
        raise InputError(f"labels: expected at least one, each once, got {shown(texts)}")
    return [template.replace("{}", label) for label in texts]


def classifications(
    cosines: NDArray[np.float32], labels: Sequence[str], manifest: Manifest
) -> list[Classification]:
    """Turn (n, m) cosines of n images and m labels into n classifications.

    Logits are `cosine * logit_scale + logit_bias`. Probabilities are their softmax (CLIP,
    https://arxiv.org/abs/2103.00020) or, with a bias, their sigmoid (SigLIP,
    https://arxiv.org/abs/2303.15343).

    Raises:
        InputError: the bundle has no `logit_scale`.
    """
    if manifest.logit_scale is None:
        raise InputError(
            f"bundle {manifest.name}: expected a logit_scale in its manifest to compute "
            "probabilities, found none; compare vectors with similarity() instead"
        )
    logits = cosines.astype(np.float64) * manifest.logit_scale
    if manifest.logit_bias is not None:
        probabilities = 1 / (1 + np.exp(-(logits + manifest.logit_bias)))
    else:
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = weights / weights.sum(axis=1, keepdims=True)
    return [_classification(row, list(labels)) for row in probabilities]


def _classification(probabilities: NDArray[np.float64], labels: list[str]) -> Classification:
    order = np.argsort(-probabilities, kind="stable")
    return Classification(
        label=labels[int(order[0])],
        probability=float(probabilities[order[0]]),
        probabilities={labels[i]: float(probabilities[i]) for i in map(int, order)},
    )
