"""Nearest words and analogies in the vocabulary of a static model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.arguments import shown
from edgeembed_runtime.encoder.text import TextEncoder
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.truncation import ignore_truncation
from edgeembed_runtime.inputs.text.validation import checked_texts
from edgeembed_runtime.vectors import normalize

_BATCH_IDS = 4096


@public
class Neighbor(NamedTuple):
    """A word of the vocabulary, and its cosine to the query."""

    word: str
    score: float


@dataclass(frozen=True, kw_only=True)
class WordNeighbors:
    """The vocabulary of a static model: every token except special ones, with its own vector.

    The vectors are computed on first use and kept: 4 bytes x words x dim.
    """

    encoder: TextEncoder

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words, ordered by token id.

        Raises:
            InputError: the model is not static.
        """
        return tuple(self._ids)

    def most_similar(
        self, positive: str | Sequence[str], negative: str | Sequence[str], k: int
    ) -> list[Neighbor]:
        """Return the `k` words nearest to the mean of unit vectors, with `negative` ones negated.

        The query words are excluded. Source: 3CosAdd of Mikolov, Yih & Zweig, NAACL 2013,
        https://aclanthology.org/N13-1090, as in gensim's `most_similar`.

        Raises:
            InputError: the model is not static, has no vector for a word, `k` is not positive, or
                no words were given.
        """
        if type(k) is not int or k < 1:
            raise InputError(f"k: expected 1 or more, got {shown(k)}")
        words, weights = _signed_words(positive, negative)
        ids = np.fromiter(self._ids.values(), np.int64, len(self._ids))
        queries = [self._look_up(word) for word in words]
        masks = [np.isin(ids, tokens) for _, tokens in queries]
        target = (weights @ normalize(np.stack([vector for vector, _ in queries]))).astype(
            np.float32
        )
        scores = self._unit @ normalize(target)
        for mask in masks:
            if mask.sum() == 1:  # a word of several tokens is not in the vocabulary
                scores[mask] = -np.inf
        count = min(k, int(np.isfinite(scores).sum()))
        best = np.argsort(-scores, kind="stable")[:count] if count else np.empty(0, np.intp)
        names = self.vocabulary
        return [Neighbor(names[i], float(scores[i])) for i in best.tolist()]

    def _look_up(self, word: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return a word's vector and its token ids."""
        engine = self.encoder.engine
        ids = engine.tokenizer.encode(word).ids
        if not word.strip() or engine.tokenizer.unknown_id in ids.tolist():
            raise InputError(f"most_similar: expected words in the vocabulary, got {word!r:.80}")
        return engine.encode_one(word, ignore_truncation), ids

    @cached_property
    def _ids(self) -> Mapping[str, int]:
        bundle = self.encoder.bundle
        if not bundle.manifest.text_tower().static:
            raise InputError(
                f"bundle {bundle.path}: expected a static model (word vectors, or distilled to a "
                "table), got one with vectors for texts only; encode the words and search those"
            )
        engine = self.encoder.engine
        ids, rows = engine.tokenizer.vocabulary(), engine.token_rows
        return ids if rows is None else {word: n for word, n in ids.items() if n < rows}

    @cached_property
    def _unit(self) -> NDArray[np.float32]:
        ids = np.fromiter(self._ids.values(), np.int64, len(self._ids))
        engine = self.encoder.engine
        vectors = np.empty((len(ids), self.encoder.bundle.manifest.dim), np.float32)
        for start in range(0, len(ids), _BATCH_IDS):
            batch = slice(start, start + _BATCH_IDS)
            vectors[batch] = normalize(engine.encode_ids(ids[batch]))
        return vectors


def _signed_words(
    positive: str | Sequence[str], negative: str | Sequence[str]
) -> tuple[list[str], NDArray[np.float32]]:
    """Return all words, and 1 or -1 for each."""
    sides = [
        checked_texts([side] if isinstance(cast(object, side), str) else side)
        for side in (positive, negative)
    ]
    words = [*sides[0], *sides[1]]
    if not words:
        raise InputError("most_similar: expected at least one word, got none")
    signs = np.array([1, -1], np.float32)
    return words, np.repeat(signs, [len(side) for side in sides])
