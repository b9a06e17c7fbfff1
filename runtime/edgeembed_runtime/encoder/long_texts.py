"""Long texts: cut into overlapping chunks, each encoded, and made one vector again."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import vectors as vec
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.engine.base import EncodeMany, NumberedText, at_position
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.chunking import Chunk, checked_size, chunk_text
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

# The part of a chunk that the next one repeats, so that what is said across a border is in one.
OVERLAP_SHARE = 8


@public
@dataclass(frozen=True, kw_only=True)
class ChunkVectors:
    """The chunks of a text, with their places in it, and their vectors: (n, d)."""

    chunks: tuple[Chunk, ...]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Chunker:
    """Cuts texts so that each chunk, with `prompt` before it, is taken whole by the model."""

    tokenizer: TextTokenizer
    prompt: str = ""

    @property
    def room(self) -> int:
        """How many tokens of a text fit beside the special ones and the prompt's."""
        return self.tokenizer.max_tokens - self.tokenizer.count(self.prompt)

    def chunks(
        self, text: str, *, max_tokens: int | None = None, overlap_tokens: int | None = None
    ) -> list[Chunk]:
        """Cut `text`; by default as long as fits, an eighth of it shared with the next chunk.

        Raises:
            InputError: an option is no number, or the prompt leaves no room.
        """
        if self.room < 1:
            raise InputError(
                f"prompt: expected one shorter than {self.tokenizer.max_tokens} tokens"
            )
        size = checked_size(max_tokens, self.room)
        while True:
            overlap = size // OVERLAP_SHARE if overlap_tokens is None else overlap_tokens
            chunks = list(chunk_text(text, self.tokenizer, max_tokens=size, overlap_tokens=overlap))
            # The prompt and the first word may be more tokens together than each by itself.
            longest = max((self.tokenizer.count(self.prompt + c.text) for c in chunks), default=0)
            excess = longest - self.tokenizer.max_tokens
            if not self.prompt or excess <= 0 or size == 1:
                return chunks
            size = max(1, size - excess)
            overlap_tokens = None if overlap_tokens is None else min(overlap_tokens, size // 2)

    def pooled(
        self,
        texts: Iterable[NumberedText],
        encode_many: EncodeMany,
        *,
        unit: bool,
    ) -> Iterator[NDArray[np.float32]]:
        """One vector for each text: the mean of its chunks', weighted by their tokens.

        A text that fits is encoded as it is. With `unit` the mean gets length 1 again.
        """
        weights: deque[Sequence[int]] = deque()

        def numbered_pieces() -> Iterator[NumberedText]:
            for position, text in texts:
                with at_position(position):
                    pieces = self._pieces(text)
                    weights.append([self.tokenizer.count(piece) for piece in pieces])
                yield from ((position, self.prompt + piece) for piece in pieces)

        vectors = encode_many(numbered_pieces())
        for first in vectors:
            counts = np.asarray(weights.popleft(), np.float32)
            rows = np.stack([first, *itertools.islice(vectors, len(counts) - 1)])
            if len(rows) == 1:
                yield first
            else:
                mean = (rows * counts[:, None]).sum(0) / counts.sum()
                yield vec.normalize(mean) if unit else mean

    def _pieces(self, text: str) -> list[str]:
        if not self.tokenizer.encode(self.prompt + text).truncated:
            return [text]
        return [chunk.text for chunk in self.chunks(text)] or [text]
