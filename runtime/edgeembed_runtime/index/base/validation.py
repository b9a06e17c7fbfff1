"""Checks keys, documents, metadata and options from outside, before anything is written."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.arguments import checked_integer, shown, utf8_of
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.dates import date_text

MAX_KEY_CHARS = 1024
# SQLite refuses a row above 1e9 bytes; a quarter of it leaves room for the rest of the row.
MAX_DOCUMENT_BYTES = 256 << 20
MAX_METADATA_BYTES = 1 << 20
# SQLite's JSON functions stop at a depth of 1000, Python's own recursion not far above.
MAX_METADATA_DEPTH = 32
_INT64 = 1 << 63
_NUMPY_SCALARS = (np.bool_, np.integer, np.floating, np.str_)
_MOST = 1 << 62


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What an upsert writes: lists of equal length, keys distinct."""

    keys: Sequence[str]
    documents: Sequence[str | None]
    metadatas: Sequence[str | None]
    """JSON texts."""
    vectors: NDArray[np.float32]
    """(n, d), unit rows; zeros where the encoder knows none of the words."""
    titles: Sequence[str | None]

    @property
    def blank(self) -> NDArray[np.bool_]:
        """(n,) which documents have no vector."""
        return np.all(self.vectors == 0, axis=1)


def check_keys(keys: object, *, what: str = "keys") -> list[str]:
    """Return the keys as a list.

    Raises:
        InputError: not a sequence of str of 1 to 1024 characters without NUL or lone surrogates.
    """
    return [
        _check_key(key, f"{what}[{position}]")
        for position, key in enumerate(_listed(keys, what, "str"))
    ]


def _listed(value: object, what: str, of: str) -> list[Any]:
    # A str is also a sequence of str, and a dict one of its keys: both are mistakes here.
    if isinstance(value, str | bytes) or type(value) is dict or not isinstance(value, Iterable):
        kind = type(cast("object", value)).__name__
        raise InputError(f"{what}: expected a list of {of}, got {kind}")
    try:
        items = iter(cast("Iterable[Any]", value))
    except TypeError as error:  # an array without dimensions passes as Iterable
        raise InputError(f"{what}: expected a list of {of}, got {shown(value)}") from error
    return list(items)


def _check_key(key: object, what: str) -> str:
    text = _checked(key, what)
    if not 1 <= len(text) <= MAX_KEY_CHARS or "\0" in text:
        raise InputError(
            f"{what}: expected 1 to {MAX_KEY_CHARS} characters without NUL, got {len(text)}"
        )
    return text


def _checked(value: object, what: str, limit: int = MAX_DOCUMENT_BYTES) -> str:
    """A text of at most `limit` bytes in UTF-8, as a plain str."""
    if not isinstance(value, str):
        raise InputError(f"{what}: expected str, got {type(value).__name__}")
    size = len(utf8_of(value, what))
    if size > limit:
        raise InputError(f"{what}: expected at most {limit} bytes, got {size}")
    return str.__str__(value)


def check_texts(texts: object, *, what: str) -> list[str]:
    """Return the documents or queries as a list; NUL characters are allowed.

    Raises:
        InputError: not a sequence of str, a lone surrogate, or more than 256 MiB in one text.
    """
    return [
        _checked(text, f"{what}[{position}]")
        for position, text in enumerate(_listed(texts, what, "str"))
    ]


def check_prefix(prefix: object) -> str:
    """Return the beginning of keys; "" for any.

    Raises:
        InputError: not a str, or one with a lone surrogate.
    """
    return _checked(prefix, "prefix")


def check_titles(titles: object) -> list[str | None]:
    """Return titles as a list; an empty one is none.

    Raises:
        InputError: not a sequence of str or None, a lone surrogate, or over 1 MiB in one of them.
    """
    return [
        None if title is None else _checked(title, f"titles[{at}]", MAX_METADATA_BYTES) or None
        for at, title in enumerate(_listed(titles, "titles", "str or None"))
    ]


def check_metadatas(metadatas: object) -> list[str | None]:
    """Return each metadata dict as JSON text (None stays None).

    Raises:
        InputError: not a sequence of dicts of JSON values; NaN, infinity, integers beyond 64 bits,
            NUL or a lone surrogate in a text, keys that are not str, over 32 levels or 1 MiB.
    """
    items = _listed(metadatas, "metadatas", "dicts")
    return [_metadata_json(item, f"metadatas[{i}]") for i, item in enumerate(items)]


def _metadata_json(metadata: object, what: str) -> str | None:
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping):
        raise InputError(f"{what}: expected a dict or None, got {type(metadata).__name__}")
    plain = _plain(cast("Mapping[Any, Any]", metadata), what, depth=1)
    # Not ASCII-escaped: older SQLite compares a path's label with the key's raw JSON text.
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if len(text.encode()) > MAX_METADATA_BYTES:
        raise InputError(f"{what}: expected at most {MAX_METADATA_BYTES} bytes of JSON")
    return text


def _plain(value: Any, what: str, depth: int) -> Any:
    if depth > MAX_METADATA_DEPTH:
        raise InputError(f"{what}: expected at most {MAX_METADATA_DEPTH} levels")
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value)
        return {
            _check_text(name, f"{what}: a key"): _plain(item, what, depth + 1)
            for name, item in pairs.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, what, depth + 1) for item in cast("Sequence[Any]", value)]
    return check_scalar(value, what)


def _check_text(value: object, what: str) -> str:
    text = _checked(value, what)
    if "\0" in text:
        raise InputError(f"{what}: expected a text without NUL")
    return text


def check_scalar(value: object, what: str) -> str | int | float | bool | None:
    """Return a value that both JSON and SQLite store exactly; of a date, its text in ISO 8601.

    Raises:
        InputError: anything but None, bool, str, a finite float, an int of at most 64 bits, a date
            or datetime, or a numpy scalar of these kinds.
    """
    if isinstance(value, np.generic):
        value = _of_numpy(value, what)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _check_text(value, what)
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise InputError(f"{what}: expected integers of at most 64 bits, got {shown(value)}")
        return int(value)
    if isinstance(value, float):
        if not np.isfinite(value):
            raise InputError(f"{what}: expected finite numbers, got {value}")
        return float(value)
    if isinstance(value, date):
        return date_text(value, what)
    kind = type(value).__name__
    raise InputError(f"{what}: expected a JSON value (or a date, or a numpy scalar), got {kind}")


def _of_numpy(value: np.generic, what: str) -> object:
    if isinstance(value, np.datetime64) and not np.isnat(value):
        # Python's dates have microseconds: of nanoseconds, item() makes an int.
        return value.astype("datetime64[us]").item()
    if isinstance(value, np.timedelta64) or not isinstance(value, _NUMPY_SCALARS):
        raise InputError(f"{what}: expected a JSON value, got {shown(value)}")
    return value.item()


def check_lengths(n: int, **others: int | None) -> None:
    """Make sure that every list is as long as the keys; None is no list.

    Raises:
        InputError: one is not.
    """
    for name, length in others.items():
        if length is not None and length != n:
            raise InputError(f"{name}: expected {n} entries, one for each key, got {length}")


def check_k(k: object, *, what: str = "k") -> int:
    """Return a count as an int; one beyond 2**62 is as good as that.

    Raises:
        InputError: not an integer of at least 1.
    """
    # More than this fits nowhere; SQLite counts to a little more.
    return min(checked_integer(k, what), _MOST)


def last_of_each_key(batch: Batch) -> Batch:
    """Keep the last entry of each key, in the order of those entries."""
    last = sorted({key: position for position, key in enumerate(batch.keys)}.values())
    if len(last) == len(batch.keys):
        return batch
    return Batch(
        keys=[batch.keys[i] for i in last],
        documents=[batch.documents[i] for i in last],
        metadatas=[batch.metadatas[i] for i in last],
        vectors=batch.vectors[last],
        titles=[batch.titles[i] for i in last],
    )
