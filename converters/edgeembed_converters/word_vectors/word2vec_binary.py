"""word2vec's binary format: a header line, then words, each followed by its floats.

Source: `save` of https://github.com/tmikolov/word2vec/blob/master/word2vec.c
"""

from mmap import mmap
from pathlib import Path

import numpy as np

from edgeembed_converters.word_vectors.table import BadWords, WordList, WordTable

_MAX_WORD_BYTES = 4096


def read_word2vec_binary(
    path: Path, data: mmap, header: tuple[int, int], max_words: int, bad_words: BadWords
) -> WordTable:
    """Read up to `max_words` words of a memory-mapped file.

    Raises:
        ConversionError: it ends too early, or has an invalid word.
    """
    count, dim = header
    words = WordList(path, "byte", bad_words)
    size = 4 * dim
    at = data.find(b"\n") + 1
    min_bytes = at + count * (size + 2)
    if min_bytes > len(data):
        raise words.error(
            f"expected {count} words of {dim} numbers, as the header says, which take at least "
            f"{min_bytes} bytes, found the end: it is cut off, or not of this kind",
            len(data),
        )
    vectors = np.empty((min(count, max_words), dim), np.float32)
    for _ in range(count):
        if len(words) == max_words:
            break
        space = data.find(b" ", at, at + _MAX_WORD_BYTES)
        start = space + 1
        if space < 0 or start + size > len(data):
            raise words.error(f"expected a word, a space and {size} bytes, found the end", at)
        # word2vec ends each vector with a line break, gensim does not.
        if words.add(data[at:space].lstrip(b"\n"), at):
            vectors[len(words) - 1] = np.frombuffer(data, "<f4", dim, start)
        at = start + size
    return words.table(vectors[: len(words)])
