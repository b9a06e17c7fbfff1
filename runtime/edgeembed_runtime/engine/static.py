"""Batches of texts of equal length, for static models, where per-run overhead dominates.

In a static model a token's contribution does not depend on its context, so an unpadded batch can
compute the same sums for each text as a run of its own. Whether this graph on this CPU really does,
bit for bit, is tested when the engine opens; if not, texts run one by one.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.batching import batched
from edgeembed_runtime.bundle.signature import EMBEDDING
from edgeembed_runtime.engine.base import NumberedText, OnTruncation, at_position, feeds
from edgeembed_runtime.engine.cpu import available_cpus
from edgeembed_runtime.engine.schedule import Schedule
from edgeembed_runtime.engine.session import OpenSession, Session
from edgeembed_runtime.engine.unpadded import UnpaddedEngine
from edgeembed_runtime.errors import InferenceError, InputError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

# Small, so that a slow stream need not fill a whole window before its first results.
_FIRST_WINDOW = 16
# Tokens per run (or one longer text): their rows, about 1 KB each, stay in the CPU's caches.
_TOKENS_PER_RUN = 2_048
# (texts, tokens per text): shapes that take different code paths in kernels.
_PROBES = ((2, 1), (3, 2), (2, 3), (5, 4), (7, 9), (16, 16), (33, 5), (64, 31), (4, 200))


class StaticEngine(UnpaddedEngine):
    """An exact engine that batches short texts; see `Engine`."""

    window = 1024

    def __init__(
        self,
        *,
        tokenizer: TextTokenizer,
        open_session: OpenSession,
        schedule: Schedule,
        resident_before: int = 0,
    ) -> None:
        """Open the one session; see `UnpaddedEngine`."""
        super().__init__(
            tokenizer=tokenizer,
            open_session=open_session,
            schedule=replace(schedule, single_threads=1),
            resident_before=resident_before,
        )
        vocabulary = tokenizer.tokenizer.get_vocab_size()
        if self.token_rows is not None:
            vocabulary = min(vocabulary, self.token_rows)
        session = self._session(1)
        self._batches = batching_is_bit_identical(session, vocabulary, tokenizer.max_tokens)
        # The tokenizers library uses all CPUs or one, regardless of `threads`.
        self._parallel = schedule.run_in_caller_thread and self.threads >= available_cpus()

    def encode_many(
        self, texts: Iterable[NumberedText], on_truncation: OnTruncation
    ) -> Iterator[NDArray[np.float32]]:
        """See `Engine`."""
        if not self._batches:
            yield from super().encode_many(texts, on_truncation)
            return
        session = self._session(1)

        def encode(window: Sequence[NumberedText]) -> _Encoded:
            return self._encode_window(session, window, on_truncation)

        windows = batched(texts, self.window, first=_FIRST_WINDOW)
        for encoded in self._pool.map(encode, windows, first=2 * self.threads):
            yield from encoded.vectors
            if encoded.failure is not None:
                raise encoded.failure

    def _encode_window(
        self, session: Session, window: Sequence[NumberedText], on_truncation: OnTruncation
    ) -> "_Encoded":
        tokenized, failure = self._tokenize_window(window, on_truncation)
        results: list[NDArray[np.float32] | None] = [None] * len(tokenized)
        for rows in _group_by_length(tokenized):
            ids = np.array([tokenized[row].ids for row in rows], np.int64)
            try:
                vectors = session.run(feeds(ids, _weights(tokenized, rows)), EMBEDDING)
            except InferenceError as error:
                positions = ", ".join(str(window[row][0]) for row in rows[:10])
                failure = InferenceError(f"inputs[{positions}]: {error}")
                break
            for row, vector in zip(rows, vectors, strict=True):
                results[row] = vector
        done = list(itertools.takewhile(lambda vector: vector is not None, results))
        return _Encoded(vectors=cast(list[NDArray[np.float32]], done), failure=failure)

    def _tokenize_window(
        self, window: Sequence[NumberedText], on_truncation: OnTruncation
    ) -> "tuple[list[_Tokens], InputError | InferenceError | None]":
        """Tokenize texts up to the first invalid one; return the tokens, and its error if any."""
        texts = [text for _, text in window]
        known = self.tokenizer.plain_ids(texts) if self._parallel else [None] * len(texts)
        tokenized: list[_Tokens] = []
        try:
            for (position, text), ids in zip(window, known, strict=True):
                if ids is not None and (self.token_rows is None or max(ids) < self.token_rows):
                    tokenized.append(_Tokens(ids, None))
                    continue
                with at_position(position):
                    tokens = self._tokenize(text, on_truncation)
                tokenized.append(_Tokens(tokens.ids, tokens.weights))
        except (InputError, InferenceError) as error:
            return tokenized, error
        return tokenized, None


class _Tokens(NamedTuple):
    """A text's ids and their weights; None if all are equal."""

    ids: Sequence[int] | NDArray[np.int64]
    weights: NDArray[np.int64] | None


def batching_is_bit_identical(session: Session, vocabulary: int, max_tokens: int) -> bool:
    """Return whether batched and single runs give bit-identical vectors for equal-length texts."""
    rng = np.random.default_rng(0)
    for count, length in _PROBES:
        ids = rng.integers(vocabulary, size=(count, min(length, max_tokens)))
        alone = [session.run(feeds(row[None, :]), EMBEDDING)[0] for row in ids]
        if not np.array_equal(np.stack(alone), session.run(feeds(ids), EMBEDDING)):
            return False
    return True


@dataclass(frozen=True, kw_only=True)
class _Encoded:
    """The vectors of a window's texts, or those before the first failure, and its error."""

    vectors: Sequence[NDArray[np.float32]]
    failure: Exception | None


def _group_by_length(tokenized: Sequence[_Tokens]) -> Iterator[list[int]]:
    """Yield the rows of texts of equal length, in order, one list per run."""
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for row, tokens in enumerate(tokenized):
        by_length[len(tokens.ids)].append(row)
    for length, rows in by_length.items():
        size = max(1, _TOKENS_PER_RUN // length)
        for start in range(0, len(rows), size):
            yield rows[start : start + size]


def _weights(tokenized: Sequence[_Tokens], rows: Sequence[int]) -> NDArray[np.int64] | None:
    """Return the rows' token weights, (n, t) int64; None if all tokens are weighted equally."""
    weights = [tokenized[row].weights for row in rows]
    if all(each is None for each in weights):
        return None
    ones = np.ones(len(tokenized[rows[0]].ids), np.int64)
    return np.stack([ones if each is None else each for each in weights])
