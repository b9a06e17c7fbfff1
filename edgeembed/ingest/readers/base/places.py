"""The place of a passage beside what an author says, in one metadata object."""

from collections.abc import Mapping
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
