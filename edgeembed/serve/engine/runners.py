"""What threads run: texts to vectors, to token vectors and to tokens; images to vectors."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgeembed.serve.base.errors import UnprocessableError
from edgeembed.serve.base.jobs import Token
from edgeembed.serve.base.meters import Meters
from edgeembed.serve.engine.estimate import Rate
from edgeembed.serve.engine.work import Slice
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.engine.base import Engine, at_position, tokenize
from edgeembed_runtime.errors import EdgeEmbedError, InferenceError, InputError
from edgeembed_runtime.inputs.text.tokenizer import TokenizedText
from edgeembed_runtime.inputs.text.truncation import Truncation, ignore_truncation

# Texts of a static model take so little that several are taken at once; tokenizing, too.
_MANY = 32
# Of several requests together, in padded batches on a GPU.
_BATCH = 256


class ServedEncoder(Encoder):
    """An encoder whose texts can be tokenized and run in threads of one's own."""

    @property
    def text_engine(self) -> Engine:
        """The engine of its text tower.

        Raises:
            InputError: it has none.
        """
        return self._text_encoder().engine


class Text(NamedTuple):
    """A text with its prompt in front, and its place in the request; None for the only one."""

    text: str
    truncation: Truncation
    position: int | None


class Encoded(NamedTuple):
    """A vector, (d,) float32, or vectors of tokens; and the tokens that were read."""

    vectors: NDArray[np.float32]
    tokens: int


@dataclass(frozen=True, kw_only=True)
class TextRunner:
    """Texts to vectors: one after another on the CPU, together on a GPU."""

    engine: Engine
    rate: Rate
    meters: Meters
    limit: int
    joins: bool

    @classmethod
    def of(cls, encoder: ServedEncoder, rate: Rate, meters: Meters) -> "TextRunner":
        """The runner for an encoder."""
        engine = encoder.text_engine
        if not engine.deterministic:
            limit = _BATCH
        else:
            limit = _MANY if encoder.manifest.text_tower().static else 1
        return cls(
            engine=engine,
            rate=rate,
            meters=meters,
            limit=limit,
            joins=not engine.deterministic,
        )

    def run(self, slices: Sequence[Slice], *, alone: bool) -> None:
        """See `Runner`."""
        began = time.perf_counter()
        tokenized: list[TokenizedText] = []
        rows: list[tuple[Slice, int]] = []
        for piece in slices:
            try:
                texts = piece.work.inputs[piece.start : piece.stop]
                tokenized += [tokenized_text(self.engine, text) for text in texts]
                rows += [(piece, row) for row in range(piece.start, piece.stop)]
            except EdgeEmbedError as error:
                piece.work.error = error
                del tokenized[len(rows) :]
        if not rows:
            return
        middle = time.perf_counter()
        vectors = self.engine.encode_tokenized(tokenized, alone=alone)
        ended = time.perf_counter()
        count = 0
        for (piece, row), tokens, vector in zip(rows, tokenized, vectors, strict=True):
            piece.work.outputs[row] = Encoded(vector, len(tokens.ids))
            count += len(tokens.ids)
        self.rate.learn(ended - began, count)
        self.meters.tokenize_seconds.observe(middle - began)
        self.meters.run_seconds.observe(ended - middle)


@dataclass(frozen=True, kw_only=True)
class TokenVectorRunner:
    """Texts to a vector for each token, one after another."""

    engine: Engine
    limit: int = 1
    joins: bool = False

    def run(self, slices: Sequence[Slice], *, alone: bool) -> None:
        """See `Runner`."""
        del alone
        for piece in slices:
            for row in range(piece.start, piece.stop):
                given = piece.work.inputs[row]
                tokenized_text(self.engine, given)  # refuses what is too long
                tokens, vectors = self.engine.encode_tokens(given.text, ignore_truncation)
                piece.work.outputs[row] = Encoded(vectors, len(tokens.ids))


@dataclass(frozen=True, kw_only=True)
class TokenRunner:
    """Texts to tokens."""

    engine: Engine
    limit: int = _MANY
    joins: bool = False

    def run(self, slices: Sequence[Slice], *, alone: bool) -> None:
        """See `Runner`."""
        del alone
        for piece in slices:
            for row in range(piece.start, piece.stop):
                given = piece.work.inputs[row]
                piece.work.outputs[row] = _tokens(tokenized_text(self.engine, given))


@dataclass(frozen=True, kw_only=True)
class ImageRunner:
    """Images to vectors, one after another."""

    encoder: ServedEncoder
    rate: Rate
    limit: int = 1
    joins: bool = False

    def run(self, slices: Sequence[Slice], *, alone: bool) -> None:
        """See `Runner`."""
        del alone
        for piece in slices:
            for row in range(piece.start, piece.stop):
                began = time.perf_counter()
                try:
                    vector = self.encoder.encode_image(piece.work.inputs[row])
                except InputError as error:
                    raise UnprocessableError(f"images[{row}]: {error}") from error
                piece.work.outputs[row] = Encoded(vector, 0)
                self.rate.learn(time.perf_counter() - began, 1)


def tokenized_text(engine: Engine, given: Text) -> TokenizedText:
    """Tokenize a text; raises as `tokenize`, or if it is too long and must not be truncated."""
    try:
        tokens = tokenize(engine.tokenizer, given.text, ignore_truncation, rows=engine.token_rows)
        if tokens.truncated and given.truncation == "error":
            raise InputError(
                f"text: expected at most {engine.tokenizer.max_tokens} tokens, got more; shorten "
                "it, or let it be truncated"
            )
    except (InputError, InferenceError) as error:
        if given.position is None:
            raise
        with at_position(given.position):
            raise error from error.__cause__
    return tokens


def _tokens(found: TokenizedText) -> list[Token]:
    encoding = found.encoding
    if encoding is None:  # whole words
        return [
            Token(id=number, text="", special=False, start=0, end=0)
            for number in found.ids.tolist()
        ]
    return [
        Token(
            id=number,
            text=text,
            special=bool(special),
            start=0 if special else start + found.offset,
            end=0 if special else end + found.offset,
        )
        for number, text, special, (start, end) in zip(
            encoding.ids,
            encoding.tokens,
            encoding.special_tokens_mask,
            encoding.offsets,
            strict=True,
        )
    ]
