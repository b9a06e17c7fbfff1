"""Texts as a user gives them: checked one by one, so that a bad one is named by its place."""

from collections.abc import Iterable
from typing import cast

from edgeembed_runtime.errors import InputError


def checked_texts(inputs: object) -> list[str]:
    """`inputs` as a list of texts.

    Raises:
        InputError: it is no collection, or one of its items is no text.
    """
    try:
        texts = list(checked_stream(inputs))
    except TypeError as error:  # a numpy array without dimensions calls itself iterable
        raise _not_texts(inputs) from error
    return [checked_text(text, f"inputs[{position}]") for position, text in enumerate(texts)]


def checked_stream(inputs: object) -> Iterable[object]:
    """`inputs` itself, if it may be a stream of texts.

    Raises:
        InputError: it is one text, bytes, a dict, or nothing to go through.
    """
    if isinstance(inputs, str | bytes | bytearray | dict) or not isinstance(inputs, Iterable):
        raise _not_texts(inputs)
    return cast(Iterable[object], inputs)


def _not_texts(inputs: object) -> InputError:
    return InputError(f"inputs: expected a text or a list of texts, got {type(inputs).__name__}")


def checked_text(text: object, where: str) -> str:
    """`text` itself.

    Raises:
        InputError: it is no text; `where` says which one.
    """
    if not isinstance(text, str):
        raise InputError(f"{where}: expected a text, got {type(text).__name__}")
    return text
