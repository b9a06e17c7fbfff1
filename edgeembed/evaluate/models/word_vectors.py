"""Static word vectors, such as GloVe: a text's vector is the mean of its words' vectors."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from edgeembed.evaluate.models.model import ComparesVectors, Role, Vectors
from edgeembed.evaluate.models.registry import register_model
from edgeembed.ingest.texts import read_lines
from edgeembed_runtime._internal.plain_files import open_plain_file
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import sha256_file, storage_errors

_SUFFIXES = (".txt", ".vec")
_WORDS = re.compile(r"\w+(?:['’-]\w+)*")


class WordVectors(ComparesVectors):
    """A text file of words and numbers; see `Model`.

    A word is looked up as is, then in lower case; a text without a known word has no vector.
    """

    def __init__(self, path: Path) -> None:
        """Read a file in GloVe's or word2vec's text format (with a first line "count dim").

        Raises:
            InputError: a line has no numbers, or not as many as the first.
        """
        super().__init__("cosine")
        self._path = path
        with storage_errors("read", path):
            self._words, self._vectors = _read(path)
        self._rows: dict[str, int] = {}
        for row, word in enumerate(self._words):
            self._rows.setdefault(word, row)

    @property
    def name(self) -> str:
        """The file's name."""
        return self._path.stem

    @property
    def key(self) -> str:
        """The hash of the file."""
        return f"words {self._digest}"

    @cached_property
    def _digest(self) -> str:
        return sha256_file(self._path)

    @property
    def megabytes(self) -> float:
        """The size of the vectors."""
        return self._vectors.nbytes / 1e6

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return int(self._vectors.shape[1])

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """See `Model`."""
        del role
        return np.stack([self._vector(text) for text in texts])

    def features(self, texts: Sequence[str]) -> Vectors:
        """See `Model`; a text without a known word is all zeros."""
        return np.nan_to_num(self.encode(texts, "plain"))

    def vocabulary(self) -> tuple[str, ...]:
        """See `Model`."""
        return self._words

    def _vector(self, text: str) -> Vectors:
        row = self._row(text)
        rows = [row] if row is not None else [self._row(word) for word in _WORDS.findall(text)]
        known = [row for row in rows if row is not None]
        if not known:
            return np.full(self.dim, np.nan, np.float32)
        return self._vectors[known].mean(axis=0)

    def _row(self, word: str) -> int | None:
        return self._rows.get(word, self._rows.get(word.lower()))


@register_model("a text file of word vectors")
def open_word_vectors(name: str) -> list[WordVectors] | None:
    """Open a .txt or .vec file."""
    path = Path(name)
    return [WordVectors(path)] if path.is_file() and path.suffix.lower() in _SUFFIXES else None


def _read(path: Path) -> tuple[tuple[str, ...], Vectors]:
    words: list[str] = []
    rows: list[Vectors] = []
    for number, word, values in _lines(path):
        try:
            row = np.array(values, np.float32)
        except ValueError:
            row = np.empty(0, np.float32)
        if not len(row) or (rows and len(row) != len(rows[0])) or not np.isfinite(row).all():
            expected = f"{len(rows[0])} numbers" if rows else "numbers"
            raise InputError(f"{path}, line {number}: expected a word and {expected}")
        words.append(word)
        rows.append(row)
    if not rows:
        raise InputError(f"{path}: expected words and numbers, found nothing")
    return tuple(words), np.stack(rows)


def _lines(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    with open_plain_file(path, follow_links=True) as stream:
        for number, line in read_lines(stream, str(path)):
            word, *values = line.rstrip().split(" ")
            if number == 1 and len(values) == 1:
                continue  # word2vec's header: the number of words, and of components
            if values:
                yield number, word, values
