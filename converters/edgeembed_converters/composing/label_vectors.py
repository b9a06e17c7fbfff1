"""A classifier's labels as vectors of a text encoder."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError

Vectors = NDArray[np.float32]


def label_vectors(encoder: Encoder, labels: Sequence[str], template: str) -> Vectors:
    """A unit vector for each label: (n, d) float32.

    A label is a name, or synonyms separated by commas: "car, automobile". The vector averages four
    phrasings: all names in the template, the first name in the template, all names alone, and the
    mean of each name alone. That finds more photos than any of them by itself.
    """
    names = [_names(label) for label in labels]
    flat = [name for group in names for name in group]
    alone = _unit(_encoded(encoder, flat))
    starts = np.cumsum([0, *(len(group) for group in names[:-1])])
    each = _unit(np.add.reduceat(alone, starts, axis=0))
    together = [", ".join(group) for group in names]
    phrases = (
        [template.format(text) for text in together],
        [template.format(group[0]) for group in names],
        together,
    )
    return _unit(np.sum([each, *(_unit(_encoded(encoder, list(p))) for p in phrases)], axis=0))


def name_vectors(encoder: Encoder, names: Sequence[str], template: str) -> Vectors:
    """A unit vector for each name, from the name alone and in the template: (n, d) float32."""
    alone = _unit(_encoded(encoder, list(names)))
    return _unit(alone + _unit(_encoded(encoder, [template.format(name) for name in names])))


def _names(label: str) -> list[str]:
    names = [name.strip() for name in label.split(",") if name.strip()]
    if not names:
        raise InputError(f"labels: expected names, got {label!r}")
    return names


def _encoded(encoder: Encoder, texts: list[str]) -> Vectors:
    return np.asarray(encoder.encode(texts), np.float32)


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
