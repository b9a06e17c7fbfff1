"""The border to the caller: arguments of any kind come in, plain values or an InputError go on.

What is not checked here can raise anything later, or leave something half done: a number that no
float holds, a text that no file does, an array that is neither equal nor unequal to a name. Checks
return values of the plain type, so that a subclass with its own ideas goes no further.
"""

import errno
import math
import operator
import os
import reprlib
from pathlib import Path
from typing import TypeVar, cast

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import storage_errors

T = TypeVar("T")
_SHOWN = 80
# No longer than what is put into a folder: a segment, SQLite's journal.
_LONGEST_NAME = "x" * 48
_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother, _REPR.maxlong = 3, _SHOWN, _SHOWN, _SHOWN


def shown(value: object) -> str:
    """A value as messages quote it: short, on one line, whatever it is."""
    try:
        text = _REPR.repr(value)
    except Exception:  # a number too long for a text, or a __repr__ that fails
        text = f"<{type(value).__name__}>"
    return " ".join(text.split())[: 2 * _SHOWN]


def checked_unicode(text: object, what: str) -> str:
    """Return a str that is text: it can be encoded as UTF-8.

    Raises:
        InputError: not a str, or one with a lone surrogate; the message starts with `what`.
    """
    if not isinstance(text, str):
        raise InputError(f"{what}: expected a text, got {shown(text)}")
    utf8_of(text, what)
    return str.__str__(text)


def utf8_of(text: str, what: str) -> bytes:
    """The text as UTF-8.

    Raises:
        InputError: it has a lone surrogate; the message starts with `what`.
    """
    try:
        return str.encode(text)
    except UnicodeEncodeError as error:
        raise InputError(f"{what}: holds a lone surrogate, which is not text") from error


def checked_choice(value: object, choices: tuple[T, ...], what: str) -> T:
    """Return a value that is one of some names.

    Raises:
        InputError: it is not.
    """
    # Only texts are compared: an array is neither equal nor unequal.
    if not isinstance(value, str) or value not in choices:
        raise InputError(
            f"{what}: expected one of {', '.join(map(str, choices))}, got {shown(value)}"
        )
    return cast("T", str.__str__(value))


def checked_flag(value: object, what: str) -> bool:
    """Return True or False.

    Raises:
        InputError: neither, nor numpy's kinds of them.
    """
    if isinstance(value, bool):
        return value
    if type(value).__name__ in ("bool", "bool_") and type(value).__module__ == "numpy":
        return bool(value)
    raise InputError(f"{what}: expected True or False, got {shown(value)}")


def checked_integer(value: object, what: str, low: int = 1, high: int | None = None) -> int:
    """Return an integer from `low` to `high` (None: any) as an int.

    Raises:
        InputError: another number, or no integer; True and False are none.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(cast("int", value))
    except TypeError:
        number = None
    if number is None or number < low or (high is not None and number > high):
        expected = f"at least {low}" if high is None else f"{low} to {high}"
        raise InputError(f"{what}: expected an integer of {expected}, got {shown(value)}")
    return number


def checked_number(
    value: object, what: str, low: float = -math.inf, high: float = math.inf
) -> float:
    """Return a finite number from `low` to `high` as a float; numpy's scalars count.

    Raises:
        InputError: another number, one beyond what a float holds, or none; True and False are none.
    """
    expected = "a finite number"
    if (low, high) != (-math.inf, math.inf):
        expected = f"a number from {low:g} to {high:g}"
    # numpy's scalars have these methods, and so have its arrays, of any size.
    is_number = hasattr(value, "__index__") or hasattr(value, "__float__")
    if isinstance(value, bool | str | bytes) or not is_number or getattr(value, "shape", ()) != ():
        raise InputError(f"{what}: expected {expected}, got {shown(value)}")
    try:
        number = float(cast("float", value))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{what}: expected {expected}, got {shown(value)}") from error
    if not math.isfinite(number) or not low <= number <= high:
        raise InputError(f"{what}: expected {expected}, got {shown(value)}")
    return number


def checked_path(path: object, what: str = "path") -> Path:
    """Return a path that the system can take, not made absolute.

    Raises:
        InputError: neither a str nor an os.PathLike of one; empty, too long, or with NUL or a
            character that file names cannot have.
        StorageError: the file system refused to look there.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{what}: expected a path, got {shown(path)}")
    text = os.fspath(cast("str | os.PathLike[str]", path))
    if not isinstance(cast("object", text), str):
        raise InputError(f"{what}: expected a path of str, got one of {type(text).__name__}")
    try:
        usable = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        usable = False
    if not usable or not text:
        raise InputError(f"{what}: expected a path that a file can have, got {shown(text)}")
    found = Path(str.__str__(text))
    try:
        os.lstat(found / _LONGEST_NAME)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(f"{what}: expected a shorter path, got {shown(text)}") from error
        with storage_errors("read", found):
            raise
    return found
