"""Fields that several APIs share, and what a refusal of the engine says in an API's own words."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

from msgspec import Meta

from edgeembed.serve.base.errors import InvalidRequestError, TooLargeError
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.truncation import Truncation

Texts = str | Annotated[list[str], Meta(min_length=1)]
"""A text, or some."""
Count = Annotated[int, Meta(ge=1, le=1 << 31)]
"""A number of components, documents or hits."""

# What the engine calls the parts of a job, and where in a list the fault is.
_BLAMED = re.compile(
    r"(inputs|texts|documents|images|text|truncate_dim|dimensions|precision|prompt_name|normalize)"
    r"\b(\[\d+\])?"
)


def listed(texts: str | list[str]) -> list[str]:
    """A text, or some, as a list."""
    return [texts] if isinstance(texts, str) else texts


def truncation(cut: bool | None, *, at_start: bool = False) -> Truncation:
    """What to do with long texts: they are cut at their end, unless the request says otherwise.

    The engine cannot cut the start of a text; texts that fit need no cut, so only longer ones are
    refused.
    """
    return "error" if cut is False or at_start else "truncate"


@contextmanager
def blaming(
    inputs: str, *, dimensions: str = "dimensions", precision: str = "precision"
) -> Generator[None]:
    """Let refusals of the engine name the request's fields.

    Args:
        inputs: the field of the texts, images or documents.
        dimensions: the field of how many components to keep.
        precision: the field of the type of the components.

    Raises:
        InvalidRequestError: for an InputError or InvalidRequestError raised inside.
        TooLargeError: for one raised inside.
    """
    names = dict.fromkeys(("inputs", "texts", "documents", "images", "text"), inputs)
    names |= {"truncate_dim": dimensions, "dimensions": dimensions, "precision": precision}
    try:
        yield
    except (InputError, InvalidRequestError, TooLargeError) as error:
        message = str(error)
        found = _BLAMED.match(message)
        param = error.param if isinstance(error, InvalidRequestError) else None
        if found is not None:
            param = names.get(found[1], found[1]) + (found[2] or "")
            message = param + message[found.end() :]
        if isinstance(error, TooLargeError):
            raise TooLargeError(message) from error
        kind = type(error) if isinstance(error, InvalidRequestError) else InvalidRequestError
        raise kind(message, param=param) from error
