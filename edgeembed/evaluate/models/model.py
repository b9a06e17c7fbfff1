"""The protocol of models to evaluate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edgeembed.evaluate.metrics.similarity import similarity_pairs
from edgeembed_runtime.vectors import Similarity, similarity_matrix

Role = Literal["plain", "query", "document"]
Vectors = NDArray[np.float32]


class Model(Protocol):
    """Encodes texts, and compares vectors.

    `key` identifies the vectors for the cache: equal keys mean equal vectors; None if that cannot
    be known.
    """

    @property
    def name(self) -> str:
        """The name in reports."""
        ...

    @property
    def key(self) -> str | None:
        """The identity of its vectors."""
        ...

    @property
    def megabytes(self) -> float | None:
        """The size of its file in 10^6 bytes; None if it has none."""
        ...

    @property
    def dim(self) -> int:
        """The length of a vector."""
        ...

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """Vectors to compare: (n, d) float32; a row of NaN for a text without a vector."""
        ...

    def features(self, texts: Sequence[str]) -> Vectors:
        """Vectors to train a classifier on: (n, d) float32, no NaN."""
        ...

    def compare(self, a: Vectors, b: Vectors) -> Vectors:
        """The similarity of every row of (n, d) to every row of (m, d): (n, m)."""
        ...

    def compare_pairs(self, a: Vectors, b: Vectors) -> NDArray[np.float64]:
        """The similarity of each row of (n, d) to the same row of (n, d): (n,)."""
        ...

    def vocabulary(self) -> tuple[str, ...] | None:
        """The words it has vectors for; None for a model that takes any text."""
        ...


@runtime_checkable
class ImageModel(Protocol):
    """A model that encodes images and texts into one space."""

    def encode_images(self, images: Sequence[Path]) -> Vectors:
        """The vectors of image files: (n, d) float32."""
        ...


class ComparesVectors:
    """The default comparison: the model's own similarity on full vectors."""

    def __init__(self, similarity: Similarity) -> None:
        """`similarity` is the model's own."""
        self.similarity: Similarity = similarity

    def compare(self, a: Vectors, b: Vectors) -> Vectors:
        """See `Model`."""
        return similarity_matrix(a, b, self.similarity)

    def compare_pairs(self, a: Vectors, b: Vectors) -> NDArray[np.float64]:
        """See `Model`."""
        return similarity_pairs(a, b, self.similarity)
