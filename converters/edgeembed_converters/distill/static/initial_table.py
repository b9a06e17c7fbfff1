"""The initial static table: every single token encoded by the teacher."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edgeembed_converters.distill.teaching.teacher import Teacher
from edgeembed_runtime.bundle import Variant
from edgeembed_runtime.bundle.signature import EMBEDDING
from edgeembed_runtime.engine.base import NumberedText, feeds
from edgeembed_runtime.engine.session import Session, SessionSettings
from edgeembed_runtime.errors import InputError

_BATCH = 64
# The constant a of smooth inverse frequency: a / (a + token frequency).
# Arora et al., A Simple but Tough-to-Beat Baseline for Sentence Embeddings (2017),
# https://openreview.net/forum?id=SyK00v5xx
_SIF = 1e-3


def token_vectors(teacher: Teacher, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """The teacher's vector of each token as a text of its own: (n, teacher's dim) float32.

    Each token is surrounded by the special tokens, like any text. A special token gets the vector
    of the empty text.

    Source: van Dongen and Tulkens, Model2Vec (2024), https://github.com/MinishLab/model2vec

    Raises:
        InputError: the tokenizer surrounds texts with other than special tokens.
    """
    before, after, special = _around(teacher)
    text = teacher.manifest.text_tower()
    variant = text.variant("fp32") or text.variant(teacher.encoder.variant)
    assert variant is not None
    settings = SessionSettings(threads=teacher.encoder.threads)
    session = Session((teacher.encoder.path / variant.file).read_bytes(), variant.file, settings)

    def run(numbered: Iterable[NumberedText]) -> Iterator[NDArray[np.float32]]:
        found = [int(ids[place]) for place, _ in numbered]
        for start in range(0, len(found), _BATCH):
            rows = [[*before, token, *after] for token in found[start : start + _BATCH]]
            yield from session.run(feeds(np.array(rows, np.int64)), EMBEDDING)

    # Cached next to the vectors of texts, under names that no text has.
    names = enumerate(f"token {token}" for token in ids.tolist())
    kept = teacher.cache.through(
        _cache_name(teacher, variant),
        names,
        run,
        window=_BATCH,
        dim=teacher.encoder.dim,
        unit=teacher.manifest.normalized,
    )
    vectors = np.stack(list(kept))
    if before or after:
        empty = session.run(feeds(np.array([[*before, *after]], np.int64)), EMBEDDING)[0]
        vectors[np.isin(ids, list(special))] = empty
    return vectors


def _cache_name(teacher: Teacher, variant: Variant) -> str:
    manifest = teacher.manifest
    return f"tokens of {manifest.space} {manifest.files[variant.file].sha256}"


def _around(teacher: Teacher) -> tuple[list[int], list[int], set[int]]:
    """The ids that the tokenizer adds before and after a text, and those of special tokens."""
    tokenizer = Tokenizer.from_str(teacher.tokenizer_json().decode())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    special = {n for n, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    encoding = tokenizer.encode("a")
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    start = next((n for n in range(len(encoding.ids)) if encoding.ids[n:][: len(bare)] == bare), -1)
    if start < 0:
        raise InputError(
            "teacher: expected a tokenizer that puts special tokens around a text, got one that "
            "changes its tokens"
        )
    return encoding.ids[:start], encoding.ids[start + len(bare) :], special


def frequency_weights(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Smooth inverse frequency weights, from 0 to 1, with add-half smoothing."""
    share = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return (_SIF / (_SIF + share)).astype(np.float32)
