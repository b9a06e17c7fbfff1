"""The interface of text engines: texts in, vectors out, in order."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.bundle.signature import ATTENTION_MASK, INPUT_IDS
from edgeembed_runtime.errors import InferenceError, InputError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer, TokenizedText

# A text and its position among all inputs, for error messages.
NumberedText = tuple[int, str]
EncodeMany = Callable[[Iterable[NumberedText]], Iterator[NDArray[np.float32]]]
# Called with every text that is longer than the model takes; raises to reject it.
OnTruncation = Callable[[str], None]


class Engine(Protocol):
    """One variant of a text tower, ready to run. Thread-safe."""

    @property
    def tokenizer(self) -> TextTokenizer:
        """The bundle's tokenizer."""
        ...

    @property
    def token_rows(self) -> int | None:
        """How many token ids the model knows: those of texts must be below it; None if unknown."""
        ...

    @property
    def threads(self) -> int:
        """The number of threads that encode a list of texts."""
        ...

    @property
    def window(self) -> int:
        """The number of texts to submit together; fewer may be slower."""
        ...

    @property
    def deterministic(self) -> bool:
        """Whether vectors are bit-identical regardless of batch composition."""
        ...

    @property
    def nodes_by_provider(self) -> Mapping[str, int]:
        """The number of graph nodes each loaded provider runs, in order of preference."""
        ...

    def encode_one(self, text: str, on_truncation: OnTruncation) -> NDArray[np.float32]:
        """Encode one text with minimal latency: (dim,) float32.

        Raises:
            InputError: the text is invalid.
            InferenceError: the model failed.
        """
        ...

    def encode_many(
        self, texts: Iterable[NumberedText], on_truncation: OnTruncation
    ) -> Iterator[NDArray[np.float32]]:
        """Encode a stream of texts, in order: (dim,) float32 each. Reads only a little ahead.

        Raises:
            InputError: a text is invalid; the message names its position.
            InferenceError: the model failed; the message names the positions of the inputs.
        """
        ...

    def encode_tokenized(
        self, texts: Sequence[TokenizedText], *, alone: bool
    ) -> NDArray[np.float32]:
        """Encode tokenized texts in this thread: (n, dim) float32; one after another on the CPU.

        `alone` says that no other thread encodes, so that each text may use all threads.

        Raises:
            InferenceError: the model failed.
        """
        ...

    def encode_tokens(
        self, text: str, on_truncation: OnTruncation
    ) -> tuple[TokenizedText, NDArray[np.float32]]:
        """Return the tokens of one text and their contextual vectors: (t, width) float32."""
        ...

    def encode_ids(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Encode each token as a text of its own: (n,) ids to (n, dim) float32."""
        ...

    def close(self) -> None:
        """Stop the threads; pending jobs are dropped."""
        ...


def tokenize(
    tokenizer: TextTokenizer, text: str, on_truncation: OnTruncation, *, rows: int | None
) -> TokenizedText:
    """Tokenize a text for a model that knows ids below `rows`; call `on_truncation` if too long.

    Raises:
        InputError: the text is invalid.
        InferenceError: it has a token that the model does not know.
    """
    tokens = tokenizer.encode(text)
    if rows is not None and tokens.ids.max() >= rows:
        raise _unknown_to_the_model(tokens, rows)
    if tokens.truncated:
        on_truncation(text)
    return tokens


def _unknown_to_the_model(tokens: TokenizedText, rows: int) -> InferenceError:
    place = int(np.argmax(tokens.ids >= rows))
    what = "" if tokens.encoding is None else f" ({tokens.encoding.tokens[place]!r:.80})"
    return InferenceError(
        f"text: expected token ids below {rows}, the rows of the model's table, got "
        f"{tokens.ids[place]}{what} at token {place}; the tokenizer has a token that the model "
        "lacks, remove it from the text"
    )


def feeds(
    ids: NDArray[np.int64], mask: NDArray[np.int64] | None = None
) -> dict[str, NDArray[np.int64]]:
    """Build the graph's inputs from (n, t) ids and an attention mask; without one, all ones."""
    return {INPUT_IDS: ids, ATTENTION_MASK: np.ones_like(ids) if mask is None else mask}


def feeds_of(tokens: TokenizedText) -> dict[str, NDArray[np.int64]]:
    """Build the graph's inputs for one text at its own length."""
    weights = tokens.weights
    return feeds(tokens.ids[None, :], None if weights is None else weights[None, :])


@contextmanager
def at_position(position: int) -> Generator[None]:
    """Prefix errors from the block with the input's position."""
    try:
        yield
    except InputError as error:
        raise InputError(f"inputs[{position}]: {error}") from error
    except InferenceError as error:
        raise InferenceError(f"inputs[{position}]: {error}") from error
