"""Word vectors as text: GloVe's, and word2vec's and fastText's, whose first line is a header."""

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from edgeembed_converters.word_vectors.table import BadWords, WordList, WordTable
from edgeembed_runtime.errors import ConversionError

# No dimension is so large; a file without line ends would be read whole.
_LONGEST_LINE = 1 << 20


def read_text(
    path: Path, file: BinaryIO, header: tuple[int, int] | None, most: int, bad_words: BadWords
) -> WordTable:
    """Read lines of a word and its numbers, up to `most` words; one line at a time is in memory.

    Args:
        path: for messages.
        file: at its beginning.
        header: what its first line says, if that is a header: how many words, and dimensions.
        most: words to read.
        bad_words: what becomes of a line that cannot be read.

    Raises:
        ConversionError: a line cannot be read, or there are not as many as the header says.
    """
    words = WordList(path, "line", bad_words)
    numbers = array("f")
    dim = header[1] if header else 0
    number = 0
    for number, line in _lines(path, file):
        if header and number == 1:
            continue
        if len(words) == most:
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
    """Lines by their numbers, without white space at their ends; empty ones at the end aside."""
    empty = 0
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise ConversionError(
                f"{path}, line {number}: expected at most {_LONGEST_LINE} bytes, found more; "
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
    """The last `dim` fields as numbers; None where they are none, or there are other numbers."""
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
