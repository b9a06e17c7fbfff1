"""Compact vectors: truncated to fewer components, and quantized to fewer bits per component."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edgeembed.evaluate.metrics.similarity import similarity_pairs
from edgeembed.evaluate.models.model import Model, Role, Vectors
from edgeembed_runtime import vectors as vec
from edgeembed_runtime.errors import InputError

StoredAs = Literal["float32", "float16", "int8", "binary"]
STORED_AS: tuple[StoredAs, ...] = get_args(StoredAs)
_BITS: dict[StoredAs, int] = {"float32": 32, "float16": 16, "int8": 8, "binary": 1}
# How many candidates found by compact vectors are rescored by full ones.
RESCORED = 100


@dataclass(frozen=True, kw_only=True)
class Compaction:
    """How a vector is stored: its first `dim` components, in `stored_as`.

    With `rescore`, the 100 nearest documents are ranked again by their full float32 vectors.
    """

    dim: int
    stored_as: StoredAs = "float32"
    rescore: bool = False

    @property
    def name(self) -> str:
        """For people: "128 x int8"."""
        return f"{self.dim} x {self.stored_as}{' + rescore' if self.rescore else ''}"

    @property
    def bytes(self) -> float:
        """Bytes per vector in the part that is searched."""
        return self.dim * _BITS[self.stored_as] / 8


class CompactModel:
    """A model whose document vectors are stored in fewer bytes; see `Model`.

    Queries are not stored and keep their float32 components, as in sentence-transformers'
    rescoring, except for binary vectors, which are compared bit by bit. The ranges of 8-bit vectors
    are those of the documents.
    """

    def __init__(self, model: "MemoizedModel", how: Compaction) -> None:
        """Wrap `model`.

        Raises:
            InputError: `dim` is not between 1 and the model's.
        """
        if not 1 <= how.dim <= model.dim:
            raise InputError(f"dim: expected 1 to {model.dim}, got {how.dim}")
        self._model, self._how = model, how

    @property
    def name(self) -> str:
        """The model's name, and how its vectors are stored."""
        return f"{self._model.name} {self._how.name}"

    @property
    def key(self) -> str | None:
        """See `Model`."""
        key = self._model.key
        return None if key is None else f"{key} {self._how.name}"

    @property
    def megabytes(self) -> float | None:
        """See `Model`."""
        return self._model.megabytes

    @property
    def dim(self) -> int:
        """The number of components kept."""
        return self._how.dim

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """The full vectors; they are compacted when they are compared."""
        return self._model.encode(texts, role)

    def features(self, texts: Sequence[str]) -> Vectors:
        """The compact vectors, as float32."""
        return self._small(self._model.features(texts))

    def compare(self, a: Vectors, b: Vectors) -> Vectors:
        """See `Model`; `b` are the documents."""
        queries = self._small(a) if self._how.stored_as == "binary" else self._cut(a)
        scores = vec.similarity_matrix(queries, self._small(b), "cosine")
        return self._rescored(scores, a, b) if self._how.rescore else scores

    def compare_pairs(self, a: Vectors, b: Vectors) -> NDArray[np.float64]:
        """See `Model`; both sides are stored."""
        if self._how.rescore:
            return self._model.compare_pairs(a, b)
        return similarity_pairs(self._small(a), self._small(b), "cosine")

    def vocabulary(self) -> tuple[str, ...] | None:
        """See `Model`."""
        return self._model.vocabulary()

    def _cut(self, vectors: Vectors) -> Vectors:
        return vec.truncate(vectors, self._how.dim, unit=True)

    def _small(self, vectors: Vectors) -> Vectors:
        kept = self._cut(vectors)
        match self._how.stored_as:
            case "float32":
                return kept
            case "float16":
                return kept.astype(np.float16).astype(np.float32)
            case "int8":
                ranges = vec.calibration_ranges(kept)
                steps = vec.to_precision(kept, "uint8", ranges).astype(np.float32)
                return ranges[0] + (steps + 0.5) * (ranges[1] - ranges[0]) / 256
            case "binary":
                return np.where(kept > 0, np.float32(1), np.float32(-1))

    def _rescored(self, scores: Vectors, a: Vectors, b: Vectors) -> Vectors:
        count = min(RESCORED, scores.shape[1])
        near = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        again = np.full_like(scores, -np.inf)
        for row, places in enumerate(near):
            again[row, places] = self._model.compare(a[row : row + 1], b[places])[0]
        return again


class MemoizedModel:
    """Memoizes the vectors of a model, since all compactions need the same; see `Model`."""

    def __init__(self, model: Model) -> None:
        """Wrap `model`."""
        self._model = model
        self._vectors: dict[tuple[Role, tuple[str, ...]], Vectors] = {}

    @property
    def name(self) -> str:
        """See `Model`."""
        return self._model.name

    @property
    def key(self) -> str | None:
        """See `Model`."""
        return self._model.key

    @property
    def megabytes(self) -> float | None:
        """See `Model`."""
        return self._model.megabytes

    @property
    def dim(self) -> int:
        """See `Model`."""
        return self._model.dim

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """See `Model`."""
        key = (role, tuple(texts))
        if key not in self._vectors:
            self._vectors[key] = self._model.encode(texts, role)
        return self._vectors[key]

    def features(self, texts: Sequence[str]) -> Vectors:
        """See `Model`."""
        return self.encode(texts, "plain")

    def compare(self, a: Vectors, b: Vectors) -> Vectors:
        """See `Model`."""
        return self._model.compare(a, b)

    def compare_pairs(self, a: Vectors, b: Vectors) -> NDArray[np.float64]:
        """See `Model`."""
        return self._model.compare_pairs(a, b)

    def vocabulary(self) -> tuple[str, ...] | None:
        """See `Model`."""
        return self._model.vocabulary()


def compacted(
    model: Model, dims: Sequence[int], stored_as: Sequence[StoredAs], *, rescore: bool
) -> tuple[MemoizedModel, list[tuple[Compaction, CompactModel]]]:
    """The model itself, as the reference, and every compaction of it.

    With `rescore`, each compaction comes a second time, with rescoring.

    Raises:
        InputError: a dim or a precision is impossible.
    """
    for name in stored_as:
        if name not in STORED_AS:
            raise InputError(f"precision: expected one of {', '.join(STORED_AS)}, got {name!r}")
    whole = MemoizedModel(model)
    ways = [
        Compaction(dim=dim, stored_as=name, rescore=again)
        for name in stored_as
        for dim in dims
        for again in ((False, True) if rescore else (False,))
    ]
    full = Compaction(dim=model.dim)
    kept = [way for way in dict.fromkeys(ways) if (way.dim, way.stored_as) != (full.dim, "float32")]
    return whole, [(way, CompactModel(whole, way)) for way in kept]
