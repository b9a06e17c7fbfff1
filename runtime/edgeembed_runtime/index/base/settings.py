"""Settings of an open index: when it seals, and which approximate search it builds."""

from dataclasses import dataclass

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.arguments import checked_integer, checked_number
from edgeembed_runtime.errors import InputError

AUTO, EXACT = "auto", "exact"
_MOST = 1 << 40
_MAX_TIMEOUT_S = 1e6  # SQLite counts milliseconds in 32 bits


@public
@dataclass(frozen=True, kw_only=True)
class IndexSettings:
    """How an open Index behaves; not stored, so each opening may use others."""

    seal_rows: int = 8192
    """Tail rows that trigger sealing. 8192 rows of 384 floats are 12 MB: an exact scan takes about
    1 ms, and a refresh re-reads them in about 10 ms."""

    backend: str = AUTO
    """Which approximate search compact() builds. "auto": the first installed of faiss, usearch,
    annoy and those registered here that reaches `recall_floor` and beats the exact scan. "exact":
    none. A backend's name, such as "faiss": that one, which stays if it reaches the floor, fast or
    not. Checked when an index is opened."""

    build_parameter: int | None = None
    """What the named backend is built with, such as the number of annoy's trees (1 to 64) or of
    faiss's lists; None: its own default."""

    ann_min_rows: int = 65_536
    """Smaller segments are always searched exactly, which takes less than a millisecond."""

    recall_floor: float = 0.99
    """Recall that approximate search must have, with 99 % confidence, to be used; 1: never used."""

    busy_timeout_s: float = 5.0
    """How long a statement waits for the short commit of another process."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work.

        Raises:
            InputError: a value is out of its range.
        """
        checked_integer(self.seal_rows, "settings.seal_rows", 1, _MOST)
        checked_integer(self.ann_min_rows, "settings.ann_min_rows", 1, _MOST)
        checked_number(self.busy_timeout_s, "settings.busy_timeout_s", 0, _MAX_TIMEOUT_S)
        # Which backends and parameters there are is known when an index is opened.
        if self.build_parameter is not None and str(self.backend) in (AUTO, EXACT):
            raise InputError(
                f"settings.build_parameter: expected the name of an ANN backend beside it, got "
                f"backend={self.backend!r}"
            )
        if checked_number(self.recall_floor, "settings.recall_floor", 0, 1) == 0:
            raise InputError("settings.recall_floor: expected more than 0")
