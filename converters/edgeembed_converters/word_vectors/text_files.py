"""Text formats of word vectors: GloVe's, and word2vec's and fastText's with a header line."""

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from edgeembed_converters.word_vectors.table import BadWords, WordList, WordTable
from edgeembed_runtime.errors import ConversionError

# Longer than any real line; a file without line breaks must not be read whole.
_MAX_LINE_BYTES = 1 << 20


def read_text(
    path: Path, file: BinaryIO, header: tuple[int, int] | None, max_words: int, bad_words: BadWords
) -> WordTable:
    """Read lines of a word and its numbers, one at a time.

    Args:
        path: for messages.
        file: at its beginning.
        header: the number of words and dimensions, if the first line is a header.
        max_words: how many words to read.
        bad_words: how to handle lines that cannot be read.

    Raises:
        ConversionError: a line cannot be read, or the number of lines contradicts the header.
    """
    words = WordList(path, "line", bad_words)
    numbers = array("f")
    dim = header[1] if header else 0
    number = 0
    for number, line in _lines(path, file):
        if header and number == 1:
            continue
        if len(words) == max_words:
            break
        fields = line.split(b" ")
        dim = dim or len(fields) - 1
        values = _values(fields, dim)
        if values is None:
            words.skip(
                f"expected a word and {dim or 'its'} numbers", _shown(line, fields, dim), number
            )
        elif words.add(b" ".join(fields[:-dim]), number):
            numbers.extend(values)
    else:
        if header and number - 1 != header[0]:
            raise words.error(
                f"expected {header[0]} words, as the first line says, found {number - 1}", number
            )
    vectors = np.frombuffer(numbers, np.float32) if numbers else np.empty(0, np.float32)
    return words.table(vectors.reshape(len(words), dim or 1))


def _lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without trailing white space; skips empty lines at the end."""
    empty = 0
    number = 0
    while line := file.readline(_MAX_LINE_BYTES):
        number += 1
        if len(line) == _MAX_LINE_BYTES:
            raise ConversionError(
                f"{path}, line {number}: expected at most {_MAX_LINE_BYTES} bytes, found more; "
                "is it a text file of word vectors?"
            )
        line = line.rstrip(b" \t\r\n")
        if not line:
            empty += 1
            continue
        if empty:
            raise ConversionError(f"{path}, line {number - 1}: expected a word, found nothing")
        yield number, line


def _values(fields: list[bytes], dim: int) -> list[float] | None:
    """The last `dim` fields as numbers; None if there are fewer or more numbers."""
    try:
        values = [float(field) for field in fields[-dim:]]
    except ValueError:
        return None
    if not dim or len(fields) <= dim or any(map(_is_number, fields[1:-dim])):
        return None
    return values


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _shown(line: bytes, fields: list[bytes], dim: int) -> str:
    if len(fields) != dim + 1:
        return f"{len(fields) - 1} fields after the word {fields[0][:40]!r}"
    return f"{line[:80]!r}"
