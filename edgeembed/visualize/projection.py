"""Projects vectors to two dimensions: PCA and UMAP."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import InputError, MissingExtraError

Method = Literal["pca", "umap"]


@dataclass(frozen=True, kw_only=True)
class Projection:
    """The (n, 2) positions of vectors in the plane.

    `explained` is the share of the variance along each axis, for PCA.
    """

    places: NDArray[np.float64]
    method: Method
    explained: tuple[float, float] | None


def project(vectors: NDArray[np.float32], method: Method, *, seed: int) -> Projection:
    """Project (n, d) vectors to two dimensions.

    Raises:
        InputError: the vectors are all the same, or the method is unknown.
        MissingExtraError: UMAP is not installed.
    """
    if not np.ptp(vectors, axis=0).any():
        raise InputError(f"expected vectors that differ, got {len(vectors)} that are the same")
    match method:
        case "pca":
            return _pca(vectors)
        case "umap":
            return Projection(places=_umap(vectors, seed), method="umap", explained=None)
        case _:
            raise InputError(f"method: expected pca or umap, got {method!r}")


def _pca(vectors: NDArray[np.float32]) -> Projection:
    """Principal components: Pearson, Philosophical Magazine 2(11), 1901."""
    centered = vectors.astype(np.float64)
    centered -= centered.mean(axis=0)
    variances, directions = np.linalg.eigh(centered.T @ centered)
    # Eigenvalues ascend; one-dimensional vectors have no second axis.
    axes = np.zeros((centered.shape[1], 2))
    count = min(2, len(variances))
    axes[:, :count] = directions[:, ::-1][:, :count]
    # The sign of an axis is arbitrary: its largest component becomes positive.
    largest = axes[np.abs(axes).argmax(axis=0), [0, 1]]
    axes *= np.where(largest < 0, -1, 1)
    shares = np.zeros(2)
    shares[:count] = np.maximum(variances[::-1][:count], 0) / variances.sum()
    return Projection(
        places=centered @ axes, method="pca", explained=(float(shares[0]), float(shares[1]))
    )


def _umap(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """UMAP: McInnes, Healy & Melville, https://arxiv.org/abs/1802.03426."""
    try:
        from umap import UMAP
    except ImportError as error:
        raise MissingExtraError(
            "the method 'umap' needs umap-learn. Run: pip install umap-learn"
        ) from error
    # With a seed UMAP runs on one thread; saying so keeps it from warning.
    neighbors = min(15, len(vectors) - 1)
    # Spectral initialization needs more points than dimensions of the embedding.
    start = "spectral" if len(vectors) > 10 else "random"
    made = UMAP(
        n_neighbors=neighbors, metric="cosine", random_state=seed, n_jobs=1, init=start
    ).fit_transform(vectors)
    return np.asarray(made, np.float64)
