"""The fingerprint of a vector space."""

import hashlib
import json

from edgeembed_converters.sources.source import TextSource


def space_of(source: TextSource) -> str:
    """SHA-256 over all that decides a vector: weights, tokenizer, length, pooling, head, prompts.

    Two bundles with one space give comparable vectors; quantized variants share their original's.
    """
    parts = {
        "weights": source.source.weights_sha256,
        "tokenizer": source.tokenizer_sha256,
        "max_tokens": source.max_tokens,
        "pooling": list(source.pooling),
        "head": list(source.head_names),
        "prompts": dict(sorted(source.prompts.items())),
        "default_prompt_name": source.default_prompt_name,
    }
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"
