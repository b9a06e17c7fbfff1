"""The ids that came in a file so far, to tell when one comes again."""

from collections import OrderedDict
from collections.abc import Iterator

from edgeembed.ingest.readers.base.protocol import Reason, Remark

_MAX_REMEMBERED = 200_000


class SeenParts:
    """Remembers the parts of a file, the latest 200,000 of them, by their hashes."""

    def __init__(self, what: str) -> None:
        """`what` is counted: "line", "message"."""
        self._what = what
        self._numbers: OrderedDict[int, int] = OrderedDict()

    def check(self, part: str, number: int) -> Iterator[Remark]:
        """Yield a remark if a part, in line or message `number`, replaces an earlier one."""
        if part.startswith(":"):
            return
        key = hash(part)
        if key in self._numbers:
            yield Remark(
                reason=Reason.REPEATED,
                where=f"{self._what} {self._numbers[key]}",
                detail=f"{self._what} {number} has the same id, {part[:100]!r}, and is kept",
            )
        self._numbers[key] = number
        self._numbers.move_to_end(key)
        if len(self._numbers) > _MAX_REMEMBERED:
            self._numbers.popitem(last=False)
