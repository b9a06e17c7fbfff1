"""Built-in texts to calibrate on; fidelity is never measured on them."""

import random
from collections.abc import Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

_FILE = "calibration_texts.txt"
_LINES_IN_A_LONG_TEXT = (4, 8, 16, 32)


def calibration_texts() -> tuple[str, ...]:
    """Two hundred texts: sentences, queries, code, thirty languages, and long texts made of them.

    Long texts cause activation outliers that short ones do not.
    """
    file = resources.files("edgeembed_converters.quantization.trial").joinpath(_FILE)
    lines = file.read_text(encoding="utf-8").splitlines()
    mixed = lines.copy()
    random.Random(0).shuffle(mixed)
    long = [
        " ".join(mixed[start : start + count])
        for count in _LINES_IN_A_LONG_TEXT
        for start in range(0, len(mixed), count)
    ]
    return (*lines, *long)


def token_ids(tokenizer: TextTokenizer, texts: Sequence[str]) -> list[NDArray[np.int64]]:
    """The token ids of every text that has any: (t,) int64 each."""
    found: list[NDArray[np.int64]] = []
    for text in texts:
        try:
            found.append(tokenizer.encode(text).ids)
        except InputError:  # a tokenizer for another script may find no token
            continue
    return found
