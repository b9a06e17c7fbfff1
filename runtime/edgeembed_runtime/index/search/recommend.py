"""From documents that are liked, and others that are not, to a direction to search in."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import InputError

# Unit vectors in float32 that ought to cancel out leave about this much.
_NOTHING = 1e-6


def listed_keys(keys: str | Iterable[str]) -> list[str]:
    """One key or many as a list, each once."""
    return [keys] if isinstance(keys, str) else list(dict.fromkeys(keys))


def direction_between(
    liked: NDArray[np.float32], disliked: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The mean of (n, d) unit vectors less that of (m, d) others: (d,), of any length.

    Raises:
        InputError: nothing is liked, or nothing is left.
    """
    if not len(liked):
        raise InputError("positive: expected at least one key, got none")
    direction = liked.mean(axis=0, dtype=np.float64)
    if len(disliked):
        direction -= disliked.mean(axis=0, dtype=np.float64)
    if np.linalg.norm(direction) < _NOTHING:
        raise InputError("positive and negative cancel each other out; name other keys")
    return direction.astype(np.float32)
