"""Padded batches of texts of similar length, for GPUs and compiled models.

Padding and batch composition change the last digits of a vector; see `Engine.deterministic`.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.batching import batched
from edgeembed_runtime.bundle.signature import BATCH_AXIS, EMBEDDING, TOKEN_AXIS, TOKEN_EMBEDDINGS
from edgeembed_runtime.engine.base import NumberedText, OnTruncation, at_position, feeds, tokenize
from edgeembed_runtime.engine.schedule import Schedule
from edgeembed_runtime.engine.session import OpenSession, Session, SessionSettings, opened_once
from edgeembed_runtime.engine.thread_pool import WorkerPool
from edgeembed_runtime.errors import InferenceError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer, TokenizedText

# Tokens per batch, padding included: enough to saturate a GPU without filling its memory.
TOKEN_BUDGET = 16_384
# Texts sorted by length together; a window's vectors come out when all are done. The first window
# is small, for early results.
_WINDOW, _FIRST_WINDOW = 2_048, 32
_SHORTEST_BUCKET = 16

_Numbered = tuple[int, TokenizedText]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Texts to run together: their indices in the window, and the length to pad them to."""

    indices: tuple[int, ...]
    length: int


class PaddedEngine:
    """An engine that pads to a few bucket lengths; see `Engine`.

    With `fixed`, each run has one text, and each length its own session with static shapes, for
    providers that compile the model per shape. Otherwise a run has as many texts of similar length
    as the token budget allows, sorted across a window of thousands; the order is restored.
    """

    deterministic = False

    def __init__(
        self,
        *,
        tokenizer: TextTokenizer,
        open_session: OpenSession,
        schedule: Schedule,
        fixed: bool,
        token_budget: int = TOKEN_BUDGET,
    ) -> None:
        """Open the session for the shortest length, so errors surface now."""
        self.tokenizer = tokenizer
        self.threads = schedule.threads
        self._fixed = fixed
        self._token_budget = token_budget
        self._open_session = opened_once(open_session)
        self.window = 1 if fixed else _WINDOW
        self._lengths = bucket_lengths(tokenizer.max_tokens)
        self._first = self._session(self._lengths[0])
        self.token_rows = self._first.token_rows
        self._pool = WorkerPool(schedule.threads, low_priority=schedule.low_priority)

    @property
    def nodes_by_provider(self) -> Mapping[str, int]:
        """See `Engine`."""
        return self._first.nodes_by_provider

    def encode_one(self, text: str, on_truncation: OnTruncation) -> NDArray[np.float32]:
        """See `Engine`."""
        return self._run([self._tokenize(text, on_truncation)], EMBEDDING)[0]

    def encode_many(
        self, texts: Iterable[NumberedText], on_truncation: OnTruncation
    ) -> Iterator[NDArray[np.float32]]:
        """See `Engine`."""

        def tokenize_item(item: NumberedText) -> _Numbered:
            position, text = item
            with at_position(position):
                return position, self._tokenize(text, on_truncation)

        # Tokenize the next window while one runs.
        ahead = self._pool.map(tokenize_item, texts, ahead=self.window)
        for window in batched(ahead, self.window, first=_FIRST_WINDOW):
            yield from self._run_window(window)

    def encode_tokenized(
        self, texts: Sequence[TokenizedText], *, alone: bool
    ) -> NDArray[np.float32]:
        """See `Engine`; all together, in batches."""
        del alone
        found: dict[int, NDArray[np.float32]] = {}
        budget = 1 if self._fixed else self._token_budget
        for batch in plan_batches([len(each.ids) for each in texts], self._lengths, budget):
            vectors = self._run([texts[index] for index in batch.indices], EMBEDDING)
            found.update(zip(batch.indices, vectors, strict=True))
        return np.stack([found[index] for index in range(len(texts))])

    def encode_tokens(
        self, text: str, on_truncation: OnTruncation
    ) -> tuple[TokenizedText, NDArray[np.float32]]:
        """See `Engine`."""
        tokens = self._tokenize(text, on_truncation)
        return tokens, self._run([tokens], TOKEN_EMBEDDINGS)[0][: len(tokens.ids)]

    def encode_ids(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `Engine`."""
        texts = [TokenizedText(ids=ids[i : i + 1], truncated=False) for i in range(len(ids))]
        batches = [[text] for text in texts] if self._fixed else [texts]
        return np.concatenate([self._run(batch, EMBEDDING) for batch in batches])

    def close(self) -> None:
        """See `Engine`."""
        self._pool.close()

    def _tokenize(self, text: str, on_truncation: OnTruncation) -> TokenizedText:
        return tokenize(self.tokenizer, text, on_truncation, rows=self.token_rows)

    def _run_window(self, window: Sequence[_Numbered]) -> Iterator[NDArray[np.float32]]:
        """Yield a window's vectors in order; on failure, those before the first failed text."""
        vectors_by_index: dict[int, NDArray[np.float32]] = {}
        failure, failed_at = None, len(window)
        lengths = [len(tokens.ids) for _, tokens in window]
        for batch in plan_batches(lengths, self._lengths, 1 if self._fixed else self._token_budget):
            if min(batch.indices) > failed_at:
                continue  # never yielded: an earlier text failed
            try:
                vectors = self._run([window[index][1] for index in batch.indices], EMBEDDING)
                vectors_by_index.update(zip(batch.indices, vectors, strict=True))
            except InferenceError as error:
                positions = ", ".join(str(window[index][0]) for index in sorted(batch.indices)[:10])
                failed_at = min(failed_at, *batch.indices)
                failure = InferenceError(f"inputs[{positions}]: {error}")
        yield from (vectors_by_index[index] for index in range(failed_at))
        if failure is not None:
            raise failure

    def _run(self, texts: Sequence[TokenizedText], output: str) -> NDArray[np.float32]:
        length = _bucket_of(max(len(tokens.ids) for tokens in texts), self._lengths)
        ids = np.zeros((len(texts), length), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(texts):
            ids[row, : len(tokens.ids)] = tokens.ids
            mask[row, : len(tokens.ids)] = 1 if tokens.weights is None else tokens.weights
        return self._session(length).run(feeds(ids, mask), output)

    def _session(self, length: int) -> Session:
        sizes = {BATCH_AXIS: 1, TOKEN_AXIS: length} if self._fixed else {}
        return self._open_session(
            SessionSettings(threads=self.threads, sizes=sizes, io_binding=not self._fixed)
        )


def bucket_lengths(max_tokens: int) -> tuple[int, ...]:
    """Return the lengths to pad to: 16, 32, 64, ..., `max_tokens`."""
    doubling = itertools.takewhile(
        lambda length: length < max_tokens, (_SHORTEST_BUCKET << n for n in itertools.count())
    )
    return (*doubling, max_tokens)


def plan_batches(
    lengths: Sequence[int], buckets: Sequence[int], token_budget: int
) -> Iterator[Batch]:
    """Group texts of these lengths into batches of one bucket and up to `token_budget` tokens.

    Every index is in exactly one batch; a text longer than the budget is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    for length, group in itertools.groupby(
        order, lambda index: _bucket_of(lengths[index], buckets)
    ):
        rows = max(1, token_budget // length)
        while indices := tuple(itertools.islice(group, rows)):
            yield Batch(indices=indices, length=length)


def _bucket_of(length: int, buckets: Sequence[int]) -> int:
    return next(bucket for bucket in buckets if bucket >= length)
