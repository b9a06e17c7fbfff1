"""Fit orthogonal matrices to text vectors: (n, d) to (d, d), new components as columns."""

import contextlib
from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeembed_runtime.vectors import normalize

_LENGTHS_LEARNED = (64, 128, 256)
_STEPS, _PAIRS, _RATE = 400, 512, 0.02
_NEIGHBORS = 20
_RANDOM_SHARE = 0.1
_MAX_TEXTS = 20_000
# Closer texts are near duplicates, which carry no information.
_SAME = 0.995
_ROWS_AT_ONCE = 1024


def pca_rotation(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The principal directions of the vectors, largest variance first.

    Not centered, as cosines are relative to the origin. (Centered, all-MiniLM-L6-v2 loses as much.)
    """
    rows = vectors.astype(np.float64)
    _, directions = np.linalg.eigh(rows.T @ rows)
    return _signed(directions[:, ::-1])


def learned_rotation(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """A rotation, learned by gradient descent, after which truncated vectors rank like full ones.

    Starts from `pca_rotation`. Samples pairs of texts, mostly nearest neighbors and some at random,
    and maximizes the correlation of their cosines at several lengths with those of full vectors.
    """
    unit = normalize(vectors[:_MAX_TEXTS])
    with _one_thread():
        return _descended(unit)


def _descended(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = torch.from_numpy(unit)
    near = _neighbors(rows)
    weights = torch.from_numpy(pca_rotation(unit)).requires_grad_(True)
    lengths = [n for n in _LENGTHS_LEARNED if n < unit.shape[1]] or [max(1, unit.shape[1] // 2)]
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam([weights], lr=_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    for _ in range(_STEPS):
        left, right = _pairs(near, generator)
        loss = _loss(torch.linalg.qr(weights)[0], rows[left], rows[right], lengths)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    return _signed(torch.linalg.qr(weights.detach())[0].numpy())


@contextlib.contextmanager
def _one_thread() -> Generator[None]:
    """Small matrices gain nothing from more threads, which stall on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _loss(rotation: Tensor, left: Tensor, right: Tensor, lengths: list[int]) -> Tensor:
    """The sum over lengths of 1 minus the correlation with the full vectors' cosines."""
    a, b = left @ rotation, right @ rotation
    whole = _centered((a * b).sum(1))
    terms = [
        1 - whole @ _centered(torch.cosine_similarity(a[:, :length], b[:, :length]))
        for length in lengths
    ]
    return torch.stack(terms).sum()


def _centered(values: Tensor) -> Tensor:
    """Centered and normalized values, whose products are correlations."""
    return torch.nn.functional.normalize(values - values.mean(), dim=0)


def _neighbors(rows: Tensor) -> Tensor:
    """The indices of each row's nearest neighbors: (n, k)."""
    count = min(_NEIGHBORS, len(rows) - 1)
    found: list[Tensor] = []
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        cosines = rows[start : start + _ROWS_AT_ONCE] @ rows.T
        found.append(cosines.masked_fill(cosines > _SAME, -1.0).topk(count, dim=1).indices)
    return torch.cat(found)


def _pairs(near: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    left = torch.randint(len(near), (_PAIRS,), generator=generator)
    column = torch.randint(near.shape[1], (_PAIRS,), generator=generator)
    random = torch.randint(len(near), (_PAIRS,), generator=generator)
    chance = torch.rand(_PAIRS, generator=generator) < _RANDOM_SHARE
    return left, torch.where(chance, random, near[left, column])


def _signed(directions: NDArray[np.float64] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Flip columns so that the largest entry is positive: signs are arbitrary otherwise."""
    largest = np.abs(directions).argmax(axis=0)
    signs = np.sign(directions[largest, np.arange(directions.shape[1])])
    return np.ascontiguousarray(directions * signs, np.float32)
