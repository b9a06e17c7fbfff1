"""fastText's .bin format: words, and vectors of words and their n-grams.

Source: `saveModel` of https://github.com/facebookresearch/fastText/blob/main/src/fasttext.cc, and
`save` in args.cc, dictionary.cc and densematrix.cc beside it. Little-endian throughout.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters.word_vectors.table import BadWords, Buckets, WordList, WordTable
from edgeembed_runtime.bundle import Subwords
from edgeembed_runtime.errors import ConversionError, UnsupportedModelError
from edgeembed_runtime.inputs.text.subwords import subword_rows

MAGIC = struct.pack("<i", 793712314)
_VERSIONS = (11, 12)
_SUPERVISED = 3
# dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate, t
_ARGS = struct.Struct("<12id")
# size, nwords, nlabels, ntokens, pruneidx_size
_DICTIONARY = struct.Struct("<3i2q")
_MAX_WORD_BYTES = 4096
# A marker, not a word: it has no n-grams.
_END_OF_SENTENCE = "</s>"
_WORDS_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """The settings that decide a model's vectors."""

    dim: int
    buckets: int
    min_n: int
    max_n: int


def read_fasttext(path: Path, data: mmap, max_words: int, bad_words: BadWords) -> WordTable:
    """Read up to `max_words` words and all n-grams of a memory-mapped unsupervised model.

    A word's vector is the mean of its own row and those of its n-grams.

    Raises:
        UnsupportedModelError: a supervised or quantized model, or another version.
        ConversionError: it ends too early, or contradicts itself.
    """
    reader = _Reader(path, data)
    settings = _settings(reader)
    _, count, labels, _, pruned = reader.unpack(_DICTIONARY)
    if labels or pruned > 0:
        raise _unsupported(path, "labels" if labels else "a pruned dictionary")
    if not 0 <= count <= len(data):
        raise reader.error(f"expected a number of words, found {count}")
    words = WordList(path, "byte", bad_words)
    names, rows = _dictionary(reader, words, count, max_words)
    matrix = _matrix(reader, settings, count)
    grams = Subwords(
        first_row=count,
        buckets=max(settings.buckets, 1),
        min_n=max(settings.min_n, 1),
        max_n=max(settings.max_n, settings.min_n, 1),
    )
    if not settings.buckets or settings.max_n < 1:
        return words.table(matrix[rows])
    buckets = Buckets(vectors=matrix[count:], min_n=grams.min_n, max_n=grams.max_n)
    return words.table(_composed(matrix, names, rows, grams), buckets)


def _settings(reader: "_Reader") -> _Settings:
    magic, version = reader.unpack(struct.Struct("<2i"))
    assert struct.pack("<i", magic) == MAGIC  # as read_word_vectors checked
    if version not in _VERSIONS:
        raise _unsupported(reader.path, f"version {version} of the format")
    args = reader.unpack(_ARGS)
    dim, model, buckets, min_n, max_n = (args[n] for n in (0, 7, 8, 9, 10))
    if model == _SUPERVISED:
        raise _unsupported(reader.path, "a supervised model (a classifier)")
    if not 1 <= dim <= 1 << 20 or buckets < 0 or max_n > 100:
        raise reader.error(
            f"expected plausible sizes, found {dim} dimensions, {buckets} buckets, "
            f"n-grams of {min_n} to {max_n}"
        )
    return _Settings(dim=dim, buckets=buckets, min_n=min_n, max_n=max_n)


def _dictionary(
    reader: "_Reader", words: WordList, count: int, max_words: int
) -> tuple[list[str], list[int]]:
    """The words that are read, and their rows."""
    names: list[str] = []
    rows: list[int] = []
    for row in range(count):
        at = reader.at
        raw = reader.word()
        reader.at += 9  # its count and its entry type
        if len(words) < max_words and words.add(raw, at):
            names.append(raw.decode())
            rows.append(row)
    return names, rows


def _matrix(reader: "_Reader", settings: _Settings, count: int) -> NDArray[np.float32]:
    """The input matrix, as a view of the mapped file."""
    (quantized,) = reader.unpack(struct.Struct("<?"))
    if quantized:
        raise _unsupported(reader.path, "a quantized model (.ftz)")
    height, width = reader.unpack(struct.Struct("<2q"))
    if (height, width) != (count + settings.buckets, settings.dim):
        raise reader.error(
            f"expected a matrix of {count + settings.buckets} x {settings.dim}, "
            f"found {height} x {width}"
        )
    reader.need(4 * height * width)
    return np.frombuffer(reader.data, "<f4", height * width, reader.at).reshape(height, width)


def _composed(
    matrix: NDArray[np.float32], names: Sequence[str], rows: Sequence[int], grams: Subwords
) -> NDArray[np.float32]:
    """The vector of every word: (n, d)."""
    found = np.empty((len(names), matrix.shape[1]), np.float32)
    for start in range(0, len(names), _WORDS_AT_ONCE):
        parts = [
            [row, *(subword_rows(name, grams) if name != _END_OF_SENTENCE else ())]
            for name, row in zip(
                names[start : start + _WORDS_AT_ONCE],
                rows[start : start + _WORDS_AT_ONCE],
                strict=True,
            )
        ]
        sizes = np.array([len(part) for part in parts])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        every = matrix[np.array([row for part in parts for row in part])]
        with np.errstate(all="ignore"):  # damaged files overflow; the table is checked afterwards
            sums = np.add.reduceat(every, starts, axis=0)
        found[start : start + len(parts)] = sums / sizes[:, None].astype(np.float32)
    return found


class _Reader:
    """A cursor in a mapped file."""

    def __init__(self, path: Path, data: mmap) -> None:
        self.path, self.data, self.at = path, data, 0

    def need(self, size: int) -> None:
        """Require `size` more bytes."""
        if self.at + size > len(self.data):
            raise self.error(f"expected {size} bytes more, found the end at {len(self.data)}")

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        """Read numbers."""
        self.need(form.size)
        found = form.unpack_from(self.data, self.at)
        self.at += form.size
        return found

    def word(self) -> bytes:
        """Read a null-terminated word."""
        end = self.data.find(b"\0", self.at, self.at + _MAX_WORD_BYTES)
        if end < 0:
            raise self.error("expected a word that ends in a zero, found none")
        found = self.data[self.at : end]
        self.at = end + 1
        return found

    def error(self, found: str) -> ConversionError:
        return ConversionError(f"{self.path}, byte {self.at}: {found}")


def _unsupported(path: Path, found: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{path}: expected an unsupervised fastText model (.bin) of version 11 or 12, found "
        f"{found}; its .vec file, if there is one, can be imported"
    )
