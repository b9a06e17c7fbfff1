"""Any function from texts to vectors, as a model to evaluate."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeembed.evaluate.models.model import ComparesVectors, Role, Vectors
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.vectors import Similarity


class FunctionModel(ComparesVectors):
    """A function from n texts to (n, d) vectors; see `Model`. Never cached."""

    def __init__(
        self,
        name: str,
        encode: Callable[[list[str]], NDArray[np.float32]],
        similarity: Similarity = "cosine",
    ) -> None:
        """`encode` is used for queries and documents alike."""
        super().__init__(similarity)
        self._name, self._encode = name, encode

    @property
    def name(self) -> str:
        """How reports call it."""
        return self._name

    @property
    def key(self) -> None:
        """None: the output of a function cannot be known in advance."""
        return

    @property
    def megabytes(self) -> None:
        """It has no file."""
        return

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return int(self.encode(["a"], "plain").shape[1])

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """See `Model`.

        Raises:
            InputError: the function did not return a finite vector for every text.
        """
        del role
        vectors = np.asarray(self._encode(list(texts)), np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise InputError(
                f"{self.name}: expected {len(texts)} vectors of finite numbers, "
                f"got an array of shape {vectors.shape}"
            )
        return vectors

    def features(self, texts: Sequence[str]) -> Vectors:
        """See `Model`."""
        return self.encode(texts, "plain")

    def vocabulary(self) -> None:
        """See `Model`: any text."""
        return
