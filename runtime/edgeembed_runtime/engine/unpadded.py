"""One unpadded text per run: on the CPU, a vector then depends on its own text only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.bundle.signature import EMBEDDING, TOKEN_EMBEDDINGS
from edgeembed_runtime.engine.base import (
    NumberedText,
    OnTruncation,
    at_position,
    feeds,
    feeds_of,
    tokenize,
)
from edgeembed_runtime.engine.memory_budget import threads_within
from edgeembed_runtime.engine.schedule import Schedule
from edgeembed_runtime.engine.session import OpenSession, Session, SessionSettings, opened_once
from edgeembed_runtime.engine.thread_pool import WorkerPool
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer, TokenizedText


class UnpaddedEngine:
    """An engine that never pads; see `Engine`.

    A list of texts is encoded one text per thread, on a session with one intra-op thread. A single
    text uses a second session with all threads. Each session is opened when first needed.
    """

    deterministic = True
    window = 32

    def __init__(
        self,
        *,
        tokenizer: TextTokenizer,
        open_session: OpenSession,
        schedule: Schedule,
        resident_before: int = 0,
    ) -> None:
        """Open the session for single texts, so an invalid graph fails now.

        `resident_before` is the process's resident memory in bytes before anything was loaded.

        Raises:
            InputError: the schedule's memory limit is too low for this model.
        """
        self.tokenizer = tokenizer
        self._spin = schedule.spin
        self._run_in_caller_thread = schedule.run_in_caller_thread
        self._open_session = opened_once(open_session)
        self._single = self._session(schedule.single_threads)
        self.token_rows = self._single.token_rows
        self.threads = schedule.threads
        if schedule.max_memory_mb is not None:
            self.threads = threads_within(
                schedule.max_memory_mb,
                schedule.threads,
                base=resident_before,
                max_tokens=tokenizer.max_tokens,
                run=lambda tokens: self._single.run(
                    feeds(np.zeros((1, tokens), np.int64)), EMBEDDING
                ),
            )
        self._pool = WorkerPool(self.threads, low_priority=schedule.low_priority)

    @property
    def nodes_by_provider(self) -> Mapping[str, int]:
        """See `Engine`."""
        return self._single.nodes_by_provider

    def encode_one(self, text: str, on_truncation: OnTruncation) -> NDArray[np.float32]:
        """See `Engine`."""
        return self._single_run(self._tokenize(text, on_truncation), EMBEDDING)[0]

    def encode_many(
        self, texts: Iterable[NumberedText], on_truncation: OnTruncation
    ) -> Iterator[NDArray[np.float32]]:
        """See `Engine`."""
        session = self._session(1)

        def encode(item: NumberedText) -> NDArray[np.float32]:
            position, text = item
            with at_position(position):
                tokens = self._tokenize(text, on_truncation)
                return session.run(feeds_of(tokens), EMBEDDING)[0]

        return self._pool.map(encode, texts)

    def encode_tokenized(
        self, texts: Sequence[TokenizedText], *, alone: bool
    ) -> NDArray[np.float32]:
        """See `Engine`."""
        session = self._single if alone else self._session(1)
        return np.concatenate([session.run(feeds_of(tokens), EMBEDDING) for tokens in texts])

    def encode_tokens(
        self, text: str, on_truncation: OnTruncation
    ) -> tuple[TokenizedText, NDArray[np.float32]]:
        """See `Engine`."""
        tokens = self._tokenize(text, on_truncation)
        return tokens, self._single_run(tokens, TOKEN_EMBEDDINGS)[0]

    def encode_ids(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `Engine`."""
        return self._single.run(feeds(ids[:, None]), EMBEDDING)

    def close(self) -> None:
        """See `Engine`."""
        self._pool.close()

    def _tokenize(self, text: str, on_truncation: OnTruncation) -> TokenizedText:
        return tokenize(self.tokenizer, text, on_truncation, rows=self.token_rows)

    def _single_run(self, tokens: TokenizedText, output: str) -> NDArray[np.float32]:
        inputs = feeds_of(tokens)
        if self._run_in_caller_thread:
            return self._single.run(inputs, output)
        return self._pool.call(partial(self._single.run, inputs), output)

    def _session(self, threads: int) -> Session:
        spin = self._spin and threads > 1
        return self._open_session(SessionSettings(threads=threads, spin=spin, unpadded=True))
