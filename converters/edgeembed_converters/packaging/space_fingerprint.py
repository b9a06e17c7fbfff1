"""The fingerprint of a vector space."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters.sources.base.encoders import (
    AnySource,
    DualSource,
    ImageSource,
    TextSource,
)
from edgeembed_runtime.bundle import Golden

_BITS = 2048
# Projections below this part of their mean size say nothing: texts that are all alike.
_NOTHING = 1e-3


def space_of(source: AnySource, golden: Golden) -> str:
    """SHA-256 over all that decides a vector.

    For texts: weights, the token ids of the golden texts, length, pooling, head, prompts, and the
    directions of the golden vectors, which tell what no setting says, as another kind of attention;
    for images: weights, preprocessing, pooling and head; for both, the two together. Bundles with
    the same space have comparable vectors; quantized variants share their original's.
    """
    match source:
        case DualSource():
            text = _text_parts(source.text, golden)
            return fingerprint({"text": text, "image": image_parts(source.image)})
        case TextSource():
            return fingerprint(_text_parts(source, golden))
        case ImageSource():
            return fingerprint(image_parts(source))


def fingerprint(parts: Any) -> str:
    """SHA-256 of the canonical JSON of `parts`."""
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"


def image_parts(source: ImageSource) -> dict[str, Any]:
    """All that decides the vector of an image, for `fingerprint`."""
    return {
        "weights": source.source.weights_sha256,
        "preprocess": asdict(source.preprocess),
        "pooling": source.pooling,
        "head": list(source.head_names),
    }


def _text_parts(source: TextSource, golden: Golden) -> dict[str, Any]:
    return {
        "weights": source.source.weights_sha256,
        "token_ids": _token_ids(source, golden.texts),
        "max_tokens": source.max_tokens,
        "truncation_side": source.truncation_side,
        "pooling": list(source.pooling),
        "head": list(source.head_names),
        "prompts": dict(sorted(source.prompts.items())),
        "default_prompt_name": source.default_prompt_name,
        "directions": directions(golden.vectors),
    }


def _token_ids(source: TextSource, texts: Sequence[str]) -> str:
    """A hash of the ids: tokenizer.json itself varies between versions of the libraries."""
    tokenizer = source.tokenizer
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{tokenizer.encode(text).ids.tolist()}\n".encode())
    return digest.hexdigest()


def directions(vectors: NDArray[np.float32]) -> str:
    """On which sides of fixed planes (n, d) vectors lie, around their mean: 2,048 signs in hex.

    An angle of 0.01 to other vectors, a cosine of 0.99995, changes some of the signs; rounding, as
    between versions of a library, an angle of 1e-6, those of about one model in a thousand.

    Source: Charikar, Similarity Estimation Techniques from Rounding Algorithms (2002).
    https://doi.org/10.1145/509907.509965
    """
    rows, dim = vectors.shape
    centered = vectors.astype(np.float64) - vectors.astype(np.float64).mean(0)
    random = hashlib.shake_256(b"edgeembed space").digest(_BITS * dim // 8)
    planes = np.unpackbits(np.frombuffer(random, np.uint8)).reshape(_BITS, dim)
    found = np.empty(_BITS)
    for row in range(rows):  # one at a time: planes of a wide model are 64 MB as numbers
        found[row::rows] = (planes[row::rows] * 2.0 - 1) @ centered[row]
    lowest = _NOTHING * np.abs(found).mean()
    return np.packbits(found > lowest).tobytes().hex()
