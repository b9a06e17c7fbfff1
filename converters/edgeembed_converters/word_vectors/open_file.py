"""Detect the kind of a word-vector file by its first bytes, and read it."""

import contextlib
import re
import sys
from collections.abc import Generator
from mmap import ACCESS_READ, mmap
from pathlib import Path

from edgeembed_converters.word_vectors.fasttext_binary import MAGIC, read_fasttext
from edgeembed_converters.word_vectors.table import BadWords, WordTable
from edgeembed_converters.word_vectors.text_files import read_text
from edgeembed_converters.word_vectors.word2vec_binary import read_word2vec_binary
from edgeembed_runtime._internal.plain_files import open_plain_file
from edgeembed_runtime.errors import ConversionError, InputError
from edgeembed_runtime.storage import storage_errors

_HEADER = re.compile(rb"(\d{1,18}) (\d{1,9})[ \t\r]*")
_MAX_DIMENSIONS = 1 << 16
_HEAD_BYTES = 4096
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"


def read_word_vectors(path: Path, max_words: int | None, bad_words: BadWords) -> WordTable:
    """Read a file of word2vec (text or binary), GloVe or fastText (.vec or .bin).

    Raises:
        InputError: there is no such file.
        ConversionError: it is of another kind, or damaged; the message says where.
        UnsupportedModelError: a fastText model without readable word vectors.
        StorageError: it cannot be read.
    """
    if not path.is_file():
        found = "a directory" if path.is_dir() else "nothing"
        raise InputError(f"{path}: expected a file of word vectors, found {found}")
    limit = sys.maxsize if max_words is None else max_words
    with storage_errors("read", path):
        with open_plain_file(path, follow_links=True) as file:
            start = file.read(_HEAD_BYTES)
        if not start.strip():
            raise ConversionError(f"{path}: expected words and their vectors, found an empty file")
        if start.startswith((_GZIP, _ZIP)):
            raise ConversionError(f"{path}: it is compressed; unpack it first")
        if start.startswith(MAGIC):
            with _mapped(path) as data:
                return read_fasttext(path, data, limit, bad_words)
        header = _header(path, start)
        if header and _is_binary(start, header[1]):
            with _mapped(path) as data:
                return read_word2vec_binary(path, data, header, limit, bad_words)
        if b"\0" in start:
            raise ConversionError(
                f"{path}, byte {start.index(0)}: expected a text, or a binary file of word2vec or "
                "of fastText since version 11, found another binary file"
            )
        with open_plain_file(path, follow_links=True) as file:
            return read_text(path, file, header, limit, bad_words)


@contextlib.contextmanager
def _mapped(path: Path) -> Generator[mmap]:
    # Not closed: arrays may be views of it, and keep it alive.
    with open_plain_file(path, follow_links=True) as file:
        yield mmap(file.fileno(), 0, access=ACCESS_READ)


def _header(path: Path, start: bytes) -> tuple[int, int] | None:
    """The number of words and dimensions in the first line, if it is a header."""
    found = _HEADER.fullmatch(start.split(b"\n", 1)[0])
    if found is None:
        return None
    count, dim = int(found[1]), int(found[2])
    if not count or not 1 <= dim <= _MAX_DIMENSIONS:
        raise ConversionError(
            f"{path}, line 1: expected a number of words and of dimensions (up to "
            f"{_MAX_DIMENSIONS}), got {count} and {dim}"
        )
    return count, dim


def _is_binary(start: bytes, dim: int) -> bool:
    """Whether the bytes after the first word cannot be numbers as text."""
    numbers = start.partition(b"\n")[2].partition(b" ")[2][: 4 * dim]
    return any(byte >= 128 or (byte < 32 and byte not in b"\t\r\n") for byte in numbers)
