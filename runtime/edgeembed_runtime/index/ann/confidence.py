"""A lower confidence bound of a mean recall, by betting.

Somebody with a capital of 1 bets on each query that recall is better than a claim. While the claim
is above the truth, the capital is a supermartingale, so it ever reaches 1/delta with probability
delta at most (Ville's inequality). That holds for every distribution, for small samples, and
wherever the sequence is stopped: Waudby-Smith and Ramdas, "Estimating means of bounded random
variables by betting", JRSS B 86 (2024), https://arxiv.org/abs/2010.09686.

The bet is fixed, so the capital falls with each loss. Losses fall with effort; therefore it does
not matter how an effort was picked on the same queries, and no correction for many trials is due:
Bates et al., "Distribution-free, risk-controlling prediction sets", J. ACM 68 (2021),
https://arxiv.org/abs/2101.02703.
"""

import numpy as np
from numpy.typing import NDArray

# Near the best bet for losses of few queries in a hundred, which are mostly 0.1 or all of 1.
_BET = 0.85
_STEPS = 40


def log_capital(losses: NDArray[np.float64], allowed: float) -> float:
    """The highest log capital while betting that losses, in [0, 1], are below `allowed`."""
    if not losses.size:
        return 0.0
    return max(0.0, float(np.cumsum(np.log1p(_BET * (allowed - losses))).max()))


def is_proven(losses: NDArray[np.float64], floor: float, delta: float) -> bool:
    """Whether a mean recall of `floor` is proven but for a probability of `delta`."""
    return log_capital(losses, 1 - floor) >= -np.log(delta)


def can_be_proven(losses: NDArray[np.float64], floor: float, delta: float, more: int) -> bool:
    """Whether `more` further queries could prove it, were they all answered perfectly."""
    allowed = 1 - floor
    now = float(np.log1p(_BET * (allowed - losses)).sum())
    return now + more * np.log1p(_BET * allowed) >= -np.log(delta)


def lower_bound(losses: NDArray[np.float64], delta: float) -> float:
    """The highest mean recall that is proven but for a probability of `delta`; 0 for none."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if is_proven(losses, middle, delta):
            low = middle
        else:
            high = middle
    return low
