"""The fingerprint of a vector space."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from edgeembed_converters.sources.base import AnySource, DualSource, ImageSource, TextSource


def space_of(source: AnySource) -> str:
    """SHA-256 over all that decides a vector: weights, tokenizer, length, pooling, head, prompts.

    For images it is weights, preprocessing, pooling and head; for both, the two together. Two
    bundles with one space give comparable vectors; quantized variants share their original's.
    """
    match source:
        case DualSource():
            return fingerprint({"text": _text(source.text), "image": image_parts(source.image)})
        case TextSource():
            return fingerprint(_text(source))
        case ImageSource():
            return fingerprint(image_parts(source))


def fingerprint(parts: Any) -> str:
    """SHA-256 of what `json` can encode."""
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"


def _text(source: TextSource) -> dict[str, Any]:
    return {
        "weights": source.source.weights_sha256,
        "tokenizer": source.tokenizer_sha256,
        "max_tokens": source.max_tokens,
        "pooling": list(source.pooling),
        "head": [str(module) for module in source.head],
        "prompts": dict(sorted(source.prompts.items())),
        "default_prompt_name": source.default_prompt_name,
    }


def image_parts(source: ImageSource) -> dict[str, Any]:
    """All that decides the vector of an image, for `fingerprint`."""
    return {
        "weights": source.source.weights_sha256,
        "preprocess": asdict(source.preprocess),
        "pooling": source.pooling,
        "head": [str(module) for module in source.head],
    }
