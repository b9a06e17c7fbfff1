"""Validation of the user's texts; errors name the position of the invalid one."""

from collections.abc import Iterable
from typing import cast

from edgeembed_runtime.errors import InputError


def checked_texts(inputs: object, what: str = "inputs") -> list[str]:
    """Return `inputs` as a list of strings.

    Raises:
        InputError: it is not a collection, or an item is not a string.
    """
    texts = enumerate(checked_stream(inputs))
    return [checked_text(text, f"{what}[{position}]") for position, text in texts]


def checked_stream(inputs: object) -> Iterable[object]:
    """Return `inputs`, or the values of an Arrow array, if it can be a stream of texts.

    Raises:
        InputError: it is a single string, bytes, a dict, a table, or not iterable.
    """
    # Iterating over a table yields the names of its columns, the columns, or rows.
    if hasattr(type(inputs), "columns"):
        raise InputError(
            f"inputs: expected a text or a list of texts, got {type(inputs).__name__}, a table; "
            "pass one of its columns, such as table['text']"
        )
    to_pylist = getattr(inputs, "to_pylist", None)
    if callable(to_pylist):
        return cast(Iterable[object], to_pylist())
    if isinstance(inputs, str | bytes | bytearray | dict) or not isinstance(inputs, Iterable):
        raise _not_texts(inputs)
    if getattr(inputs, "shape", None) == ():  # an array without dimensions passes as Iterable
        raise _not_texts(inputs)
    return cast(Iterable[object], inputs)


def _not_texts(inputs: object) -> InputError:
    return InputError(f"inputs: expected a text or a list of texts, got {type(inputs).__name__}")


def checked_text(text: object, where: str) -> str:
    """Return `text` if it is a string.

    Raises:
        InputError: it is not; the message starts with `where`.
    """
    if not isinstance(text, str):
        raise InputError(f"{where}: expected a text, got {type(text).__name__}")
    return str.__str__(text)  # a subclass may have its own ideas of itself
