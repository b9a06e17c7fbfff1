"""How much effort a segment's ANN file needs for how many hits, as calibrated; and its JSON."""

import functools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

_MAX_POINTS = 16
_MAX_EFFORT = 1 << 40


@dataclass(frozen=True, kw_only=True)
class Efforts:
    """Efforts by depth: how many of the nearest rows must be found.

    Queries are of two kinds, told apart by what a search finds: the best candidate of a far one has
    a cosine below `far_below`. Far queries lose several times more neighbors at the same effort,
    wherever they come from; questions are often far from all documents.
    """

    depths: tuple[int, ...]
    """Calibrated, ascending."""
    near: tuple[int, ...]
    """The effort at each: often more for the first hit alone than for ten."""
    far: tuple[int, ...] | None
    """The effort at each for a far query; None: it must be scanned."""
    far_below: float
    recall: float
    """Mean recall@10 of the queries held out."""
    bound: float | None
    """What recall at each depth is at least, with a confidence of 99 %; None in a segment of older
    code."""

    def near_effort(self, depth: int) -> int:
        """For any query."""
        return _interpolated(self.depths, self.near, depth)

    def far_effort(self, depth: int) -> int | None:
        """For a query that has turned out to be far; None: scan."""
        return None if self.far is None else _interpolated(self.depths, self.far, depth)

    def slowdown(self, depth: int) -> float:
        """About how much longer a search takes than one of recall@10, which was timed."""
        return self.near_effort(depth) / self.near_effort(10)

    def to_json(self) -> str:
        """Compact JSON text."""
        values = {
            "depths": self.depths,
            "near": self.near,
            "far": self.far,
            "far_below": self.far_below,
            "recall": self.recall,
            "bound": self.bound,
        }
        return json.dumps(values, separators=(",", ":"))


def read_efforts(recall: object, effort: int) -> Efforts | None:
    """Read the columns `recall` and `effort` of a segment; None: damaged, or nothing measured.

    Older code wrote the mean recall there, and the effort for ten hits.
    """
    if isinstance(recall, int | float):
        return Efforts(
            depths=(10,),
            near=(max(1, min(effort, _MAX_EFFORT)),),
            far=None,
            far_below=-2.0,
            recall=float(recall),
            bound=None,
        )
    try:
        values = cast("dict[str, Any]", json.loads(recall)) if isinstance(recall, str) else {}
        far = values["far"]
        found = Efforts(
            depths=_ascending(values["depths"]),
            near=_positive(values["near"]),
            far=None if far is None else _positive(far),
            far_below=_finite(values["far_below"]),
            recall=_finite(values["recall"]),
            bound=_finite(values["bound"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    lengths = {len(found.depths), len(found.near), len(found.far or found.near)}
    return found if len(lengths) == 1 else None


def _ascending(values: object) -> tuple[int, ...]:
    found = _positive(values)
    if list(found) != sorted(set(found)):
        raise ValueError("expected ascending depths")
    return found


def _positive(values: object) -> tuple[int, ...]:
    numbers = cast("list[object]", values) if isinstance(values, list) else []
    found = tuple(n for n in numbers if type(n) is int and 0 < n <= _MAX_EFFORT)
    if not 0 < len(numbers) <= _MAX_POINTS or len(found) != len(numbers):
        raise ValueError("expected efforts")
    return found


def _finite(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("expected a number")
    return float(value)


@functools.lru_cache(maxsize=1024)
def _interpolated(depths: Sequence[int], efforts: Sequence[int], depth: int) -> int:
    """A straight line between logarithms; beyond the last depth in proportion.

    From ten on, an effort can but hold so many results, so its logarithm bends towards a slope of 1
    and stays below both lines.
    """
    last, most = depths[-1], efforts[-1]
    if depth >= last:
        return math.ceil(most * depth / last)
    return math.ceil(math.exp(np.interp(math.log(depth), np.log(depths), np.log(efforts))) - 1e-9)
