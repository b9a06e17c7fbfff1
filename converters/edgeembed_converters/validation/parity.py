"""Proof that an exported model is the original: the same inputs through both."""

import contextlib
from collections.abc import Generator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edgeembed_converters.export.encoders import ImageEncoder, TextEncoder
from edgeembed_converters.sources.base.encoders import ImageSource, TextSource
from edgeembed_converters.sources.base.witness import TextVectors
from edgeembed_converters.validation.pixels import original_pixels
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.bundle import Fidelity
from edgeembed_runtime.encoder.self_test import rowwise_cosine
from edgeembed_runtime.engine.base import Engine
from edgeembed_runtime.errors import (
    ConversionError,
    InputError,
    ParityError,
    UnsupportedModelError,
)
from edgeembed_runtime.inputs.text.truncation import ignore_truncation

# A correct fp32 export differs only by rounding: about 1e-7 in the cosine.
FP32_COSINE = 1 - 1e-5
# Another library may round a resized pixel differently, by one step of 255.
FP32_IMAGE_COSINE = 1 - 1e-4
_NEIGHBORS = 10
_BATCH = 8


def reference_vectors(source: TextSource, texts: Sequence[str]) -> NDArray[np.float32]:
    """The original's vectors of texts without a prompt, one at a time: (n, d) float32.

    By the source's witness; without one, by the PyTorch module on the tokenizers library's own
    truncation, unlike the runtime's, so that the comparison also validates the runtime.

    Raises:
        InputError: `max_tokens` leaves no room after the special tokens.
        ConversionError: the model fails on its tokenizer's output, or returns NaN.
        UnsupportedModelError: a text's vector depends on the texts before it.
    """
    _require_room(source)
    with original_errors(source.name):
        encode = _module_vectors(source) if source.witness is None else source.witness.encode
        # A model may change for good at a short text, as BigBird's sparse attention does.
        longest_first = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        found = {place: encode([texts[place]]) for place in longest_first}
        again = encode([texts[longest_first[0]]])
    for place, vector in found.items():
        if not np.isfinite(vector).all():
            raise ConversionError(
                f"{source.name}: the original's vector of the text {texts[place]!r:.40} has NaN or "
                "infinite numbers; are its weights or its settings damaged?"
            )
    if not rowwise_cosine(found[longest_first[0]], again)[0] >= FP32_COSINE:
        raise UnsupportedModelError(
            f"{source.name}: the original's vector of a text depends on the texts that it encoded "
            "before: nothing can equal it; look for settings of its attention in config.json"
        )
    return np.concatenate([found[place] for place in range(len(texts))])


def module_vectors(
    source: TextSource, texts: Sequence[str], batch: int = _BATCH
) -> NDArray[np.float32]:
    """Vectors of the PyTorch module that is exported, `batch` texts at once: (n, d) float32.

    Raises:
        InputError, ConversionError: as `reference_vectors`.
    """
    _require_room(source)
    with original_errors(source.name):
        encode = _module_vectors(source)
        starts = range(0, len(texts), batch)
        return np.concatenate([encode(list(texts[start : start + batch])) for start in starts])


@contextlib.contextmanager
def original_errors(name: str) -> Generator[None]:
    """Name the model in whatever its own code and the tokenizers library raise."""
    try:
        yield
    except Exception as error:
        # What a table says of an id that it has no row for.
        hint = "; do tokenizer and model belong together?" if isinstance(error, IndexError) else ""
        raise ConversionError(
            f"{name}: the original itself fails on the probe texts: {type(error).__name__}: "
            f"{first_line(error)}{hint}"
        ) from error


def reference_image_vectors(source: ImageSource, files: Sequence[bytes]) -> NDArray[np.float32]:
    """Vectors of the original PyTorch model for image files: (n, d) float32.

    Preprocessed by the original library's own processor, if it has one.

    Raises:
        ConversionError: the model cannot be run on them.
    """
    encoder = ImageEncoder(source)
    rows: list[NDArray[np.float32]] = []
    try:
        with torch.no_grad():
            for start in range(0, len(files), _BATCH):
                batch = [original_pixels(source, file) for file in files[start : start + _BATCH]]
                rows.append(encoder(torch.cat(batch))[0].numpy())
    except Exception as error:  # whatever the model's or its processor's code raises
        raise ConversionError(
            f"{source.name}: the original could not be run on images: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    return np.concatenate(rows)


def _require_room(source: TextSource) -> None:
    with original_errors(source.name):
        special = Tokenizer.from_buffer(source.tokenizer_json).num_special_tokens_to_add(False)
    if source.max_tokens <= special:
        raise InputError(
            f"max_tokens: expected more than the {special} special tokens that the tokenizer adds, "
            f"got {source.max_tokens}"
        )


def _module_vectors(source: TextSource) -> TextVectors:
    tokenizer = Tokenizer.from_buffer(source.tokenizer_json)
    tokenizer.enable_truncation(source.max_tokens, direction=source.truncation_side)
    pad = getattr(getattr(source.backbone, "model", None), "config", None)
    tokenizer.enable_padding(pad_id=getattr(pad, "pad_token_id", None) or 0)
    encoder = TextEncoder(source)

    def encode(texts: list[str]) -> NDArray[np.float32]:
        encodings = tokenizer.encode_batch(texts)
        ids = torch.tensor([encoding.ids for encoding in encodings])
        mask = torch.tensor([encoding.attention_mask for encoding in encodings])
        with torch.no_grad():
            return encoder(ids, mask)[0].numpy()

    return encode


def runtime_vectors(engine: Engine, texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of an exported model, as the runtime computes them: (n, d) float32."""
    return np.stack(list(engine.encode_many(enumerate(texts), ignore_truncation)))


def fidelity(reference: NDArray[np.float32], found: NDArray[np.float32]) -> Fidelity:
    """Compare (n, d) vectors with a reference, input by input and as a space."""
    cosines = rowwise_cosine(reference, found)
    spearman, overlap = compare_spaces(reference, found)
    return Fidelity(
        texts=len(cosines),
        mean_cosine=float(cosines.mean()),
        min_cosine=float(cosines.min()),
        max_abs_difference=float(np.abs(reference - found).max()),
        pairs_spearman=spearman,
        retrieval_overlap=overlap,
    )


def compare_spaces(
    reference: NDArray[np.float32], found: NDArray[np.float32]
) -> tuple[float, float]:
    """`pairs_spearman` and `retrieval_overlap` of a Fidelity; dimensions may differ."""
    pairs_a, pairs_b = _pair_cosines(reference), _pair_cosines(found)
    return _spearman(pairs_a, pairs_b), _neighbor_overlap(reference, found)


def require_parity(measured: Fidelity, min_cosine: float = FP32_COSINE) -> None:
    """Refuse an fp32 export that is not the original.

    Raises:
        ParityError: an input's cosine is below `min_cosine`.
    """
    if not measured.min_cosine >= min_cosine:
        raise ParityError(
            f"the exported model is not the original: expected a cosine of at least {min_cosine} "
            f"for every input, got {measured.min_cosine:.6f} for the worst of {measured.texts}; "
            "try the other exporter, or report the architecture"
        )


def _cosine_matrix(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    rows = vectors.astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
    return rows @ rows.T


def _pair_cosines(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    return _cosine_matrix(vectors)[np.triu_indices(len(vectors), 1)]


def _spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    # Cosines of real vectors have no ties, so plain ranks are enough.
    ranks = [np.argsort(np.argsort(values)).astype(np.float64) for values in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1]) if len(a) > 1 else 1.0


def _neighbor_overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    count = min(_NEIGHBORS, len(a) - 1)
    if count < 1:
        return 1.0
    tops: list[NDArray[np.intp]] = []
    for vectors in (a, b):
        cosines = _cosine_matrix(vectors)
        np.fill_diagonal(cosines, -np.inf)
        tops.append(np.argsort(-cosines, axis=1)[:, :count])
    shared = [len(set(x) & set(y)) for x, y in zip(tops[0].tolist(), tops[1].tolist(), strict=True)]
    return float(np.mean(shared)) / count
