"""The place of a passage beside what an author says, in one metadata object."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

_PLACE = "_place"


def placed(metadata: Mapping[str, Any], place: Mapping[str, Any]) -> dict[str, Any]:
    """An author's metadata with the place of a passage; where both have a name, it is the author's.

    The place's values of such names are in the object `_place`: see `place_of`.
    """
    hidden = {name: value for name, value in place.items() if name in metadata}
    merged = {**place, **metadata}
    return {**merged, _PLACE: hidden} if hidden else merged


def place_of(metadata: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What metadata says of the place of a passage, an author's fields of such names left out."""
    found = metadata or {}
    hidden = found.get(_PLACE)
    return {**found, **cast("Mapping[str, Any]", hidden)} if isinstance(hidden, dict) else found


def joined_text(passages: Iterable[tuple[str, Mapping[str, Any] | None]]) -> str:
    """Passages of one document, with their metadata, in one text; what two share is there once."""
    text, at = "", 0
    for piece, metadata in passages:
        place = place_of(metadata)
        start, end = place.get("start"), place.get("end")
        if not isinstance(start, int) or not isinstance(end, int):
            text += f"\n{piece}"
            continue
        shared = max(0, at - start) if text else 0
        text += ("\n" if text and start > at else "") + piece[shared:]
        at = max(at, end)
    return text
