"""word2vec's binary form: a header line, and then words, each followed by its floats.

Source: `save` of https://github.com/tmikolov/word2vec/blob/master/word2vec.c
"""

from mmap import mmap
from pathlib import Path

import numpy as np

from edgeembed_converters.word_vectors.table import BadWords, WordList, WordTable

_LONGEST_WORD = 4096


def read_word2vec_binary(
    path: Path, data: mmap, header: tuple[int, int], most: int, bad_words: BadWords
) -> WordTable:
    """Read up to `most` words of a file that is mapped into memory.

    Raises:
        ConversionError: it ends too early, or something in it cannot be a word.
    """
    count, dim = header
    words = WordList(path, "byte", bad_words)
    size = 4 * dim
    at = data.find(b"\n") + 1
    least = at + count * (size + 2)
    if least > len(data):
        raise words.error(
            f"expected {count} words of {dim} numbers, as the header says, which are {least} bytes "
            "or more, found the end: it is cut off, or not of this kind",
            len(data),
        )
    vectors = np.empty((min(count, most), dim), np.float32)
    for _ in range(count):
        if len(words) == most:
            break
        space = data.find(b" ", at, at + _LONGEST_WORD)
        start = space + 1
        if space < 0 or start + size > len(data):
            raise words.error(f"expected a word, a space and {size} bytes, found the end", at)
        # word2vec ends each vector with a line end, gensim does not.
        if words.add(data[at:space].lstrip(b"\n"), at):
            vectors[len(words) - 1] = np.frombuffer(data, "<f4", dim, start)
        at = start + size
    return words.table(vectors[: len(words)])
