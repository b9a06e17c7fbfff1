"""Texts as a user gives them: checked one by one, so that a bad one is named by its place."""

from collections.abc import Iterable

from edgeembed_runtime.errors import InputError


def checked_texts(inputs: object) -> list[str]:
    """`inputs` as a list of texts.

    Raises:
        InputError: it is no collection, or one of its items is no text.
    """
    wrong = InputError(f"inputs: expected a text or a list of texts, got {type(inputs).__name__}")
    if isinstance(inputs, bytes | bytearray | dict) or not isinstance(inputs, Iterable):
        raise wrong
    try:
        texts = list(inputs)
    except TypeError as error:  # a numpy array without dimensions calls itself iterable
        raise wrong from error
    return [checked_text(text, f"inputs[{position}]") for position, text in enumerate(texts)]


def checked_text(text: object, where: str) -> str:
    """`text` itself.

    Raises:
        InputError: it is no text; `where` says which one.
    """
    if not isinstance(text, str):
        raise InputError(f"{where}: expected a text, got {type(text).__name__}")
    return text
