"""Turns liked and disliked documents into a query vector."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.validation import check_keys

# Float32 unit vectors that should cancel out leave about this much.
_NOTHING = 1e-6


def listed_keys(keys: str | Iterable[str], what: str) -> list[str]:
    """One key or several as a list, without repetitions.

    Raises:
        InputError: not keys.
    """
    return list(dict.fromkeys(check_keys([keys] if isinstance(keys, str) else keys, what=what)))


def direction_between(
    liked: NDArray[np.float32], disliked: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The mean of (n, d) unit vectors minus the mean of (m, d) others: (d,), of any length.

    Rows of zeros stand for no vector, and are left out.

    Raises:
        InputError: nothing with a vector is liked, or the two means cancel out.
    """
    if not len(liked):
        raise InputError("positive: expected at least one key, got none")
    liked, disliked = liked[liked.any(axis=1)], disliked[disliked.any(axis=1)]
    if not len(liked):
        raise InputError(
            "positive: expected a document with a vector; the model knew no word of these"
        )
    direction = liked.mean(axis=0, dtype=np.float64)
    if len(disliked):
        direction -= disliked.mean(axis=0, dtype=np.float64)
    if np.linalg.norm(direction) < _NOTHING:
        raise InputError("positive and negative cancel each other out; name other keys")
    return direction.astype(np.float32)
