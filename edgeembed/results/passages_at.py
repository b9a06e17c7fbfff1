"""Which passages of an index stand at a place that a person names: src/app.py:12."""

import re

from edgeembed import Index
from edgeembed.ingest.readers.base.places import place_of
from edgeembed_runtime.errors import InputError

_PLACE = re.compile(r"(?P<source>.+?)(?::(?P<line>\d{1,9}))?(?::\d{1,9})?", re.DOTALL)


def passages_at(index: Index, place: str, what: str = "place") -> list[str]:
    """The key of the passage at a file's line; of a function in passages, the keys of them all.

    A picture, or a document in no file, is at its own key.

    Args:
        index: of texts or pictures.
        place: the file as `edgeembed search` shows it, and a line from 1, with ":" between; without
            one, the first. A column behind it, as editors and compilers write it, is passed over.
        what: the argument's name, for messages.

    Raises:
        InputError: the index has no such file.
    """
    match = _PLACE.fullmatch(place)
    source, line = (match["source"], int(match["line"] or 1)) if match else (place, 1)
    keys = sorted(index.keys(f"{source}#"), key=_number)
    stored = [each for each in index.get(keys) if each is not None]
    if not stored and place in index:
        return [place]
    if not stored:
        raise InputError(
            f"{what}: expected a file of the index and a line, such as src/app.py:12, got "
            f"{place!r:.200}"
        )
    places = [place_of(each.metadata) for each in stored]
    begins = [found.get("line") for found in places]
    before = [n for n, first in enumerate(begins) if isinstance(first, int) and first <= line]
    chosen = max(before, key=lambda n: (begins[n], n), default=0)
    symbol = places[chosen].get("symbol")
    if symbol is None:
        return [stored[chosen].key]
    return [each.key for each, at in zip(stored, places, strict=True) if at.get("symbol") == symbol]


def _number(key: str) -> int:
    number = key.rpartition("#")[2]
    return int(number) if number.isdecimal() else 0
