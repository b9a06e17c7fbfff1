"""What every engine does: texts in, vectors out, in order."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.bundle.signature import ATTENTION_MASK, INPUT_IDS
from edgeembed_runtime.errors import InferenceError, InputError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer, TokenizedText

# A text, and its position among all inputs, by which an error names it.
NumberedText = tuple[int, str]
EncodeMany = Callable[[Iterable[NumberedText]], Iterator[NDArray[np.float32]]]
# Called with every text that is longer than the model takes; it may refuse it.
OnTruncation = Callable[[str], None]


class Engine(Protocol):
    """One variant of a text tower, ready to run. Any number of threads may use it at once."""

    @property
    def tokenizer(self) -> TextTokenizer:
        """The tokenizer of the bundle."""
        ...

    @property
    def threads(self) -> int:
        """How many threads work on many texts."""
        ...

    @property
    def window(self) -> int:
        """How many texts it likes to be given at once; with fewer it may be slower."""
        ...

    @property
    def deterministic(self) -> bool:
        """Whether a text's vector is the same to the bit, alone and in any company."""
        ...

    @property
    def nodes_by_provider(self) -> Mapping[str, int]:
        """How many nodes of the graph each provider that loaded runs, in order of preference."""
        ...

    def encode_one(self, text: str, on_truncation: OnTruncation) -> NDArray[np.float32]:
        """The vector of one text, as soon as can be: (dim,) float32."""
        ...

    def encode_many(
        self, texts: Iterable[NumberedText], on_truncation: OnTruncation
    ) -> Iterator[NDArray[np.float32]]:
        """The vectors of many texts, in order: (dim,) float32 each. Reads only a little ahead.

        Raises:
            InputError: a text cannot be used; the message names its position.
        """
        ...

    def encode_tokens(
        self, text: str, on_truncation: OnTruncation
    ) -> tuple[TokenizedText, NDArray[np.float32]]:
        """The tokens of one text and their contextual vectors: (t, width) float32."""
        ...

    def encode_ids(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vector of each token, taken for a text by itself: (n,) ids to (n, dim) float32."""
        ...

    def close(self) -> None:
        """Stop the threads; jobs that have not started are dropped."""
        ...


def tokenize(tokenizer: TextTokenizer, text: str, on_truncation: OnTruncation) -> TokenizedText:
    """The tokens of a text, after `on_truncation` had a look at it if it is too long."""
    tokens = tokenizer.encode(text)
    if tokens.truncated:
        on_truncation(text)
    return tokens


def feeds(
    ids: NDArray[np.int64], mask: NDArray[np.int64] | None = None
) -> dict[str, NDArray[np.int64]]:
    """What a graph takes: (n, t) ids, and their mask where some are padding."""
    return {INPUT_IDS: ids, ATTENTION_MASK: np.ones_like(ids) if mask is None else mask}


def feeds_of(tokens: TokenizedText) -> dict[str, NDArray[np.int64]]:
    """What a graph takes for one text at its own length."""
    weights = tokens.weights
    return feeds(tokens.ids[None, :], None if weights is None else weights[None, :])


@contextmanager
def at_position(position: int) -> Generator[None]:
    """Let an error about an input say which one it was."""
    try:
        yield
    except InputError as error:
        raise InputError(f"inputs[{position}]: {error}") from error
    except InferenceError as error:
        raise InferenceError(f"inputs[{position}]: {error}") from error
