"""Texts of one length in one run: for tables, where a run costs less than what is around it.

Where a token's share in a vector does not depend on the tokens beside it, a batch may do the same
sums for each text as the text would alone, as long as nothing is padded. Whether this graph on this
processor really does, to the bit, is tried when it is opened; if not, texts run one by one.
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
from edgeembed_runtime.engine.base import NumberedText, OnCut, at_position, feeds, tokenized
from edgeembed_runtime.engine.cpu import available_cpus
from edgeembed_runtime.engine.exact import ExactEngine
from edgeembed_runtime.engine.schedule import Schedule
from edgeembed_runtime.engine.session import OpenSession, Session
from edgeembed_runtime.errors import InferenceError, InputError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

# A stream that comes slowly is not kept waiting for a whole window.
_FIRST_WINDOW = 16
# Tokens in one run, or one text: their rows, a kilobyte each, stay in the processor's caches.
_TOKENS_PER_RUN = 2_048
# Texts and their tokens: shapes for which kernels have ways of their own.
_PROBES = ((2, 1), (3, 2), (2, 3), (5, 4), (7, 9), (16, 16), (33, 5), (64, 31), (4, 200))


class StaticEngine(ExactEngine):
    """An exact engine that takes many short texts at once; see `Engine`."""

    window = 1024

    def __init__(
        self,
        *,
        tokenizer: TextTokenizer,
        open_session: OpenSession,
        schedule: Schedule,
        resident_before: int = 0,
    ) -> None:
        """Open the one session; see `ExactEngine`."""
        super().__init__(
            tokenizer=tokenizer,
            open_session=open_session,
            schedule=replace(schedule, single_threads=1),
            resident_before=resident_before,
        )
        vocabulary = tokenizer.tokenizer.get_vocab_size()
        self._batches = batches_keep_bits(self._session(1), vocabulary, tokenizer.max_tokens)
        # The tokenizers library uses all processors or one, whatever `threads` says.
        self._share_texts = schedule.run_in_caller_thread and self.threads >= available_cpus()

    def encode_many(
        self, texts: Iterable[NumberedText], on_cut: OnCut
    ) -> Iterator[NDArray[np.float32]]:
        """See `Engine`."""
        if not self._batches:
            yield from super().encode_many(texts, on_cut)
            return
        session = self._session(1)

        def encode(window: Sequence[NumberedText]) -> _Encoded:
            return self._encode_window(session, window, on_cut)

        pieces = batched(texts, self.window, first=_FIRST_WINDOW)
        for encoded in self._pool.map(encode, pieces, first=2 * self.threads):
            yield from encoded.vectors
            if encoded.failure is not None:
                raise encoded.failure

    def _encode_window(
        self, session: Session, window: Sequence[NumberedText], on_cut: OnCut
    ) -> "_Encoded":
        bags, failure = self._bags(window, on_cut)
        found: list[NDArray[np.float32] | None] = [None] * len(bags)
        for places in _equal_lengths(bags):
            ids = np.array([bags[place].ids for place in places], np.int64)
            try:
                vectors = session.run(feeds(ids, _weights(bags, places)), EMBEDDING)
            except InferenceError as error:
                numbers = ", ".join(str(window[place][0]) for place in places[:10])
                failure = InferenceError(f"inputs[{numbers}]: {error}")
                break
            for place, vector in zip(places, vectors, strict=True):
                found[place] = vector
        done = list(itertools.takewhile(lambda vector: vector is not None, found))
        return _Encoded(vectors=cast(list[NDArray[np.float32]], done), failure=failure)

    def _bags(
        self, window: Sequence[NumberedText], on_cut: OnCut
    ) -> "tuple[list[_Bag], InputError | None]":
        """The texts' ids, or those before the first text that cannot be used, and why."""
        texts = [text for _, text in window]
        known = self.tokenizer.plain_ids(texts) if self._share_texts else [None] * len(texts)
        bags: list[_Bag] = []
        try:
            for (position, text), ids in zip(window, known, strict=True):
                if ids is not None:
                    bags.append(_Bag(ids, None))
                    continue
                with at_position(position):
                    tokens = tokenized(self.tokenizer, text, on_cut)
                bags.append(_Bag(tokens.ids, tokens.weights))
        except InputError as error:
            return bags, error
        return bags, None


class _Bag(NamedTuple):
    """A text's ids and their weights; None where all count alike."""

    ids: Sequence[int] | NDArray[np.int64]
    weights: NDArray[np.int64] | None


def batches_keep_bits(session: Session, vocabulary: int, max_tokens: int) -> bool:
    """Whether texts of one length get the same vectors, to the bit, in one run and one by one."""
    rng = np.random.default_rng(0)
    for count, length in _PROBES:
        ids = rng.integers(vocabulary, size=(count, min(length, max_tokens)))
        alone = [session.run(feeds(row[None, :]), EMBEDDING)[0] for row in ids]
        if not np.array_equal(np.stack(alone), session.run(feeds(ids), EMBEDDING)):
            return False
    return True


@dataclass(frozen=True, kw_only=True)
class _Encoded:
    """The vectors of a window's texts, or those before the first failure."""

    vectors: Sequence[NDArray[np.float32]]
    failure: Exception | None


def _equal_lengths(bags: Sequence[_Bag]) -> Iterator[list[int]]:
    """Places of texts of one length, in order, so many as make one run."""
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for place, bag in enumerate(bags):
        by_length[len(bag.ids)].append(place)
    for length, places in by_length.items():
        size = max(1, _TOKENS_PER_RUN // length)
        for start in range(0, len(places), size):
            yield places[start : start + size]


def _weights(bags: Sequence[_Bag], places: Sequence[int]) -> NDArray[np.int64] | None:
    """Their tokens' weights, (n, t); None where all tokens of all texts count alike."""
    given = [bags[place].weights for place in places]
    if all(weights is None for weights in given):
        return None
    ones = np.ones(len(bags[places[0]].ids), np.int64)
    return np.stack([ones if weights is None else weights for weights in given])
