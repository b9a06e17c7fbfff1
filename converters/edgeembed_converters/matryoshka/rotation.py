"""Rotate a space so that its first components carry the most information.

A rotation changes no cosine and no distance between full vectors; it decides what truncation keeps.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeembed_converters.matryoshka.rotation_fit import learned_rotation, pca_rotation
from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.quantization.trial.calibration import calibration_texts
from edgeembed_converters.sources.base.encoders import AnySource, TextSource
from edgeembed_converters.validation.parity import module_vectors
from edgeembed_runtime.errors import InputError, UnsupportedModelError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

RotationKind = Literal["pca", "learned"]
ROTATIONS: tuple[RotationKind, ...] = get_args(RotationKind)
# From the model's own vocabulary, in addition to the built-in texts.
_MAX_WORDS = 3000
_TEXTS_AT_ONCE = 32
_MIN_LETTERS = 3
_MIN_TEXTS = 32


class Rotate(nn.Module):
    """Multiplies vectors by an orthogonal matrix."""

    def __init__(self, matrix: NDArray[np.float32], kind: RotationKind) -> None:
        """`matrix` is (d, d); its columns are the new components, the most informative first."""
        super().__init__()
        self.kind = kind
        self.register_buffer("matrix", torch.from_numpy(matrix.copy()))

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) to (n, d)."""
        return x @ cast(Tensor, self.matrix)

    def __str__(self) -> str:
        """The name that model cards use, with a hash: another matrix is another space."""
        matrix = cast(Tensor, self.matrix).numpy()
        digest = hashlib.sha256(np.ascontiguousarray(matrix, "<f4").tobytes()).hexdigest()
        return f"Rotate {matrix.shape[0]} {self.kind} {digest[:12]}"


def rotated(source: AnySource, kind: RotationKind, texts: Sequence[str] | None) -> TextSource:
    """The source with a rotation in its head, fitted on `texts` or on built-in ones.

    Raises:
        InputError: it is not a text-only source.
        UnsupportedModelError: a rotation changes the model's similarity.
        ConversionError: the model fails on the texts.
    """
    if not isinstance(source, TextSource):
        raise InputError("rotate: expected a text model, got one that takes images; leave it out")
    if source.similarity == "manhattan":
        raise UnsupportedModelError(
            f"{source.name}: a rotation changes manhattan distances; leave rotate out"
        )
    chosen = fit_texts(source.tokenizer) if texts is None else _distinct(texts)
    # Sorted by length, to waste little on padding.
    vectors = module_vectors(source, sorted(chosen, key=len), _TEXTS_AT_ONCE)
    fit = pca_rotation if kind == "pca" else learned_rotation
    rotation = Rotate(fit(vectors), kind)
    modules = list(source.head)
    # A rotated unit vector has unit length up to rounding: normalize last.
    place = len(modules) - 1 if modules and isinstance(modules[-1], Normalize) else len(modules)
    modules.insert(place, rotation)
    note = f"rotated by {kind}, fitted on {len(chosen)} texts"
    return replace(
        source,
        head=nn.Sequential(*modules),
        witness=source.witness and source.witness.then(rotation),
        notes=(*source.notes, note),
    )


def check_rotation(kind: str | None, texts: Sequence[str] | None) -> None:
    """Refuse invalid options before any work.

    Raises:
        InputError: an unknown kind; or texts that are invalid, too few, or given without a kind.
    """
    if kind is not None and kind not in ROTATIONS:
        raise InputError(f"rotate: expected one of {', '.join(ROTATIONS)} or None, got {kind!r}")
    if texts is None:
        return
    if kind is None:
        raise InputError("rotate_on: expected a rotation to fit on these texts, got rotate=None")
    if isinstance(texts, str) or not all(isinstance(cast(object, text), str) for text in texts):
        raise InputError("rotate_on: expected a list of texts")
    if (count := len(_distinct(texts))) < _MIN_TEXTS:
        raise InputError(f"rotate_on: expected {_MIN_TEXTS} texts or more, got {count}")


def _distinct(texts: Sequence[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text.strip()]


def fit_texts(tokenizer: TextTokenizer) -> list[str]:
    """Texts for any model: the built-in ones, and whole words of its own vocabulary."""
    decode = tokenizer.tokenizer.decode
    words = (str(decode([number])).strip() for number in tokenizer.vocabulary().values())
    whole = [word for word in words if word.isalpha() and len(word) >= _MIN_LETTERS]
    spread = whole[:: max(1, len(whole) // _MAX_WORDS)][:_MAX_WORDS]
    return list(dict.fromkeys((*calibration_texts(), *spread)))
