"""Long texts: split into overlapping chunks, encoded, and pooled to one vector."""

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
from edgeembed_runtime.inputs.text.structure import Syntax
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

# A chunk repeats 1/8 of the one before, so that content at a boundary is whole in one of them.
OVERLAP_SHARE = 8


@public
@dataclass(frozen=True, kw_only=True)
class ChunkVectors:
    """A text's chunks and their vectors.

    Attributes:
        chunks: the n chunks, in order.
        vectors: (n, d) float32, one row per chunk.
    """

    chunks: tuple[Chunk, ...]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Chunker:
    """Splits texts into chunks that fit the model with `prompt` prepended."""

    tokenizer: TextTokenizer
    prompt: str = ""

    @property
    def room(self) -> int:
        """The number of tokens left for text after special tokens and the prompt."""
        return self.tokenizer.max_tokens - self.tokenizer.count(self.prompt)

    def chunks(
        self,
        text: str,
        *,
        max_tokens: int | None = None,
        overlap_tokens: int | None = None,
        syntax: Syntax = "prose",
    ) -> list[Chunk]:
        """Split `text`; by default into the longest chunks that fit, overlapping by an eighth.

        Raises:
            InputError: an option is invalid, or the prompt leaves no room for text.
        """
        if self.room < 1:
            raise InputError(
                f"prompt: expected one shorter than {self.tokenizer.max_tokens} tokens"
            )
        size = checked_size(max_tokens, self.room)
        while True:
            overlap = size // OVERLAP_SHARE if overlap_tokens is None else overlap_tokens
            chunks = list(
                chunk_text(
                    text, self.tokenizer, max_tokens=size, overlap_tokens=overlap, syntax=syntax
                )
            )
            if not self.prompt or size == 1:
                return chunks
            # The prompt and the first word can have more tokens together than separately.
            longest = max((self.tokenizer.count(self.prompt + c.text) for c in chunks), default=0)
            excess = longest - self.tokenizer.max_tokens
            if excess <= 0:
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
        """Yield each text's vector: the mean of its chunks' vectors, weighted by token count.

        A text that fits is encoded as is. With `unit`, the mean is normalized.
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
