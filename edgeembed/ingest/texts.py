"""Reads UTF-8 text from files and standard input: lines, JSON Lines, JSON documents."""

import itertools
import json
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import storage_errors

TextFormat = Literal["lines", "jsonl"]
_NONBLOCK = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# What a shell has opened: `<(command)` and its like. A named pipe may have nobody who writes to it.
_DESCRIPTORS = (Path("/dev/fd"), Path("/proc/self/fd"))
_STANDARD_INPUT = Path("/dev/stdin")
# Of a line and of a JSON document: a device, such as /dev/zero, has no end.
_MAX_LINE, _MAX_JSON = 64 << 20, 1 << 28


def format_of(path: Path) -> TextFormat:
    """The format of a file by its suffix: .jsonl and .ndjson are records, anything else lines."""
    return "jsonl" if path.suffix.lower() in (".jsonl", ".ndjson") else "lines"


@contextmanager
def opened(path: Path) -> Generator[BinaryIO]:
    """Open a file, or a pipe of the shell's: `<(command)`.

    Raises:
        InputError: it is a named pipe or a socket, which may have nobody who writes to it.
        StorageError: it cannot be read.
    """
    with storage_errors("read", path):
        descriptor = os.open(path, os.O_RDONLY | _NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
                if path.parent not in _DESCRIPTORS and path != _STANDARD_INPUT:
                    raise InputError(
                        f"{path}: expected a file, got a pipe; give what is in it on standard input"
                    )
                os.set_blocking(descriptor, True)
            yield stream


def read_lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its end) of UTF-8 text.

    Raises:
        InputError: a line is not valid UTF-8, or too long; the message names it.
    """
    for number in itertools.count(1):
        line = stream.readline(_MAX_LINE + 1)
        if not line:
            return
        if len(line) > _MAX_LINE:
            raise InputError(
                f"{name}, line {number}: expected at most {_MAX_LINE >> 20} MB, got more; split it "
                f"into lines, or index the file as a whole"
            )
        try:
            # Windows editors put a byte order mark before the first line.
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{name}, line {number}: expected UTF-8, got byte 0x{line[error.start]:02x}; "
                "convert the file to UTF-8"
            ) from error


def read_records(stream: BinaryIO, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) of JSON Lines; empty lines are skipped.

    Raises:
        InputError: a line is not a JSON object; the message names it.
    """
    for number, line in read_lines(stream, name):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{name}, line {number}: expected JSON: {error}") from error
        if not isinstance(record, dict):
            raise InputError(
                f"{name}, line {number}: expected a JSON object, got {type(record).__name__}"
            )
        yield number, cast(dict[str, Any], record)


def text_of(record: dict[str, Any], field: str, name: str, number: int) -> str:
    """The text in a record's `field`.

    Raises:
        InputError: it is missing or not a string.
    """
    text = record.get(field)
    if not isinstance(text, str):
        found = "nothing" if text is None else type(text).__name__
        raise InputError(
            f"{name}, line {number}: expected a text in the field {field!r}, got {found}; "
            f"the record has {', '.join(record) or 'no fields'}"
        )
    return text


def read_texts(path: Path, field: str = "text") -> Iterator[str]:
    """Yield the texts of one file: its lines, or a field of its records if it is .jsonl.

    Raises:
        InputError: a line is not UTF-8, or a record has no text in `field`.
        StorageError: the file cannot be read.
    """
    with opened(path) as stream:
        yield from texts_in(stream, str(path), format_of(path), field)


def texts_in(stream: BinaryIO, name: str, text_format: TextFormat, field: str) -> Iterator[str]:
    """Yield the texts of an open stream, as lines or from a field of its records."""
    if text_format == "lines":
        for _, line in read_lines(stream, name):
            yield line
    else:
        for number, record in read_records(stream, name):
            yield text_of(record, field, name, number)


def read_json(path: Path) -> Any:
    """Read a file that is one JSON document.

    Raises:
        InputError: it is not JSON, or too large.
        StorageError: the file cannot be read.
    """
    with opened(path) as file:
        data = file.read(_MAX_JSON + 1)
    if len(data) > _MAX_JSON:
        raise InputError(f"{path}: expected at most {_MAX_JSON >> 20} MB of JSON, got more")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON: {error}") from error
