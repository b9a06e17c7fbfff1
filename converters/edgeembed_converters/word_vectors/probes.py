"""The golden texts of word vectors: their own words, alone and together, and real texts."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters.validation.probe_texts import probe_texts
from edgeembed_runtime.bundle import Golden
from edgeembed_runtime.errors import ConversionError, InputError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

_WORDS_ALONE = 24
_WORDS_TOGETHER = (2, 3, 5, 8, 13, 21)
_TOKENS = 256  # of the longest real text


def golden_of(words: Sequence[str], table: NDArray[np.float32], tokenizer: TextTokenizer) -> Golden:
    """Texts, and the means of their words' rows of `table`, computed in float64.

    Leaves out texts whose vector is zero, such as those with unknown words only.
    """
    texts: list[str] = []
    vectors: list[NDArray[np.float32]] = []
    for text in dict.fromkeys((*_own_words(words), *probe_texts(_TOKENS))):
        try:
            tokens = tokenizer.encode(text)
        except InputError:  # an unknown word, where those are errors
            continue
        weights = np.ones(len(tokens.ids)) if tokens.weights is None else tokens.weights
        mean = np.average(table[tokens.ids].astype(np.float64), axis=0, weights=weights)
        if mean.any():
            texts.append(text)
            vectors.append(mean.astype(np.float32))
    if not texts:
        raise ConversionError("the word vectors: expected some that are not zero, found none")
    return Golden(texts=tuple(texts), vectors=np.stack(vectors))


def _own_words(words: Sequence[str]) -> Iterator[str]:
    spread = words[:: max(1, len(words) // _WORDS_ALONE)][:_WORDS_ALONE]
    yield from words[:_WORDS_ALONE]
    yield from spread
    for count in _WORDS_TOGETHER:
        yield " ".join(spread[:count])
        yield " ".join(words[count : 2 * count])
