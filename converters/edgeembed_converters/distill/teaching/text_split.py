"""Split texts into training and held-out ones."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.validation import checked_texts

# Too few to learn from or to measure neighbors on.
MIN_TEXTS = 64
_MIN_WORDS = 16
_HELD_OUT_SHARE = 10


@dataclass(frozen=True, kw_only=True)
class TextSplit:
    """Distinct texts to train on, and others to evaluate on."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]


def split_texts(texts: Iterable[str], held_out: int, seed: int) -> TextSplit:
    """Drop empty and duplicate texts, and hold out at most a tenth, chosen by `seed`.

    Raises:
        InputError: one is not a text, there are too few, or they have hardly any words.
    """
    distinct = list(dict.fromkeys(t for text in checked_texts(texts) if (t := text.strip())))
    if len(distinct) < MIN_TEXTS:
        raise InputError(
            f"texts: expected at least {MIN_TEXTS} distinct ones that are not empty, "
            f"got {len(distinct)}; thousands are needed for a good student"
        )
    words = {word for text in distinct[:10_000] for word in text.lower().split()}
    if len(words) < _MIN_WORDS:
        raise InputError(
            f"texts: expected at least {_MIN_WORDS} different words, got {len(words)}; "
            "a student learns only what its texts are about"
        )
    if held_out < 3:
        raise InputError(f"held_out: expected at least 3 texts to measure on, got {held_out}")
    order = np.random.default_rng(seed).permutation(len(distinct)).tolist()
    count = min(held_out, len(distinct) // _HELD_OUT_SHARE)
    return TextSplit(
        train=tuple(distinct[place] for place in sorted(order[count:])),
        held_out=tuple(distinct[place] for place in sorted(order[:count])),
    )
