"""The fingerprint of a vector space."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from edgeembed_converters.sources.base import AnySource, DualSource, ImageSource, TextSource


def space_of(source: AnySource) -> str:
    """SHA-256 over all that decides a vector.

    For texts: weights, tokenizer, length, pooling, head and prompts; for images: weights,
    preprocessing, pooling and head; for both, the two together. Bundles with the same space have
    comparable vectors; quantized variants share their original's.
    """
    match source:
        case DualSource():
            return fingerprint(
                {"text": _text_parts(source.text), "image": image_parts(source.image)}
            )
        case TextSource():
            return fingerprint(_text_parts(source))
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


def _text_parts(source: TextSource) -> dict[str, Any]:
    return {
        "weights": source.source.weights_sha256,
        "tokenizer": source.tokenizer_sha256,
        "max_tokens": source.max_tokens,
        "pooling": list(source.pooling),
        "head": list(source.head_names),
        "prompts": dict(sorted(source.prompts.items())),
        "default_prompt_name": source.default_prompt_name,
    }
