"""Which words a field of a msgspec type takes, for errors that name a word it does not take."""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import inspect

_STEP = re.compile(r"\[[^\]]*\]|[^.\[\]]+")


def choices_at(kind: Any, place: str) -> list[str]:
    """The words that the field at a place, such as "types[1]", takes; none if it takes others too.

    Args:
        kind: the type of the whole body.
        place: where in the body, as msgspec's errors have it.
    """
    found = [inspect.type_info(kind)]
    for step in _STEP.findall(place):
        found = [inner for each in found for inner in _inside(each, step)]
    literals = [each for one in found for each in _branches(one)]
    words = [each.values for each in literals if isinstance(each, inspect.LiteralType)]
    return [str(word) for values in words for word in values]


def _branches(info: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(info, inspect.UnionType):
        for each in info.types:
            yield from _branches(each)
    elif isinstance(info, inspect.Metadata):
        yield from _branches(info.type)
    else:
        yield info


def _inside(info: inspect.Type, step: str) -> Iterator[inspect.Type]:
    """The types that a step into a type may lead to: an item of a list, or a field."""
    for each in _branches(info):
        if isinstance(each, inspect.ListType) and step.startswith("["):
            yield each.item_type
        elif isinstance(each, inspect.StructType):
            yield from (field.type for field in each.fields if field.encode_name == step)
