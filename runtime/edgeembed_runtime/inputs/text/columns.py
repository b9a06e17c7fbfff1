"""Columns of tables as texts: of Arrow, pandas, polars, numpy; and what becomes of their nulls.

None of these libraries is imported. A column of pandas, polars or numpy yields its values when it
is iterated over; one of Arrow yields scalars of its own, but has `to_pylist`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.arguments import checked_choice
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.validation import checked_stream, checked_text

Nulls = Literal["error", "zero", "skip"]
"""What to do with nulls among texts: refuse them, give them a zero vector, leave them out."""
NULLS: tuple[Nulls, ...] = get_args(Nulls)
NumberedTexts = Iterable[tuple[int, str]]


@public
class TextColumn(Protocol):
    """A column of texts: a `pyarrow` array, a Series of pandas or polars, an array of numpy."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...

    @property
    def __array__(self) -> Callable[..., Any]:
        """What numpy asks of a column; it tells one from a list."""
        ...


def check_nulls(nulls: str) -> Nulls:
    """Return a policy that is known.

    Raises:
        InputError: it is not.
    """
    return checked_choice(nulls, NULLS, "nulls")


def is_null(value: object) -> bool:
    """Whether a value of a column is none: None, NaN, or NA and NaT of pandas."""
    if isinstance(value, str):
        return False
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def checked_column(inputs: object, nulls: Nulls, what: str = "inputs") -> list[str | None]:
    """Return a list or column of texts as a list, with None for nulls.

    Raises:
        InputError: it is neither, a value is no text, or a null that is an error; the message names
            its position.
    """
    rows = enumerate(checked_stream(inputs))
    return [_checked_value(value, nulls, f"{what}[{at}]") for at, value in rows]


def stream_column(
    inputs: object,
    nulls: Nulls,
    encode: Callable[[NumberedTexts], Iterator[NDArray[np.float32]]],
    dim: int,
) -> Iterator[NDArray[np.float32]]:
    """Encode a stream of texts; a null gives zeros (dim,), or nothing, where it stands.

    Raises:
        InputError: see `checked_column`.
    """
    values = checked_stream(inputs)
    check_nulls(nulls)
    # `encode` reads ahead: what it has read, and has not yet answered.
    are_nulls: deque[bool] = deque()

    def texts() -> NumberedTexts:
        for at, value in enumerate(values):
            text = _checked_value(value, nulls, f"inputs[{at}]")
            are_nulls.append(text is None)
            if text is not None:
                yield at, text

    vectors = encode(texts())

    def rows() -> Iterator[NDArray[np.float32]]:
        for vector in vectors:
            while are_nulls.popleft():
                if nulls == "zero":
                    yield np.zeros(dim, np.float32)
            yield vector
        if nulls == "zero":
            yield from (np.zeros(dim, np.float32) for _ in are_nulls)

    return rows()


def with_zeros(vectors: NDArray[np.float32], texts: list[str | None]) -> NDArray[np.float32]:
    """The rows of the texts that are not None, (m, d), among rows of zeros: (n, d)."""
    rows = np.zeros((len(texts), vectors.shape[1]), np.float32)
    rows[[text is not None for text in texts]] = vectors
    return rows


def _checked_value(value: object, nulls: Nulls, where: str) -> str | None:
    if not is_null(value):
        return checked_text(value, where)
    if nulls == "error":
        raise InputError(
            f"{where}: expected a text, got {type(value).__name__}, a null; fill it, or pass "
            "nulls='zero' for a vector of zeros, or nulls='skip' to leave it out"
        )
    return None
