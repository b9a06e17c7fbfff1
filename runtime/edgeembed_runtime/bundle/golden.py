"""golden.json: real inputs and the vectors that the original model gave for them."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import BundleCorruptError


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Inputs, as given to the model with no prompt, and their (n, d) float32 reference vectors."""

    texts: tuple[str, ...]
    vectors: NDArray[np.float32]

    def to_json(self) -> bytes:
        """Encode as UTF-8 JSON; the vectors are base64 of little-endian float32, row by row."""
        packed = base64.b64encode(np.ascontiguousarray(self.vectors, "<f4").tobytes()).decode()
        tree = {"texts": list(self.texts), "dim": int(self.vectors.shape[1]), "vectors": packed}
        return (json.dumps(tree, ensure_ascii=True, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Golden":
        """Decode what `to_json` wrote.

        Raises:
            BundleCorruptError: it is not that, or texts and vectors do not match.
        """
        try:
            tree: Any = json.loads(data)
            texts: Sequence[str] = tree["texts"]
            flat = np.frombuffer(base64.b64decode(tree["vectors"], validate=True), "<f4")
            vectors = flat.reshape(len(texts), int(tree["dim"])).astype(np.float32)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise BundleCorruptError(
                f"golden.json: expected texts and their vectors: {error}"
            ) from error
        if type(texts) is not list or not texts or not all(type(text) is str for text in texts):
            raise BundleCorruptError("golden.json: expected a list of strings, at least one")
        if not np.isfinite(vectors).all():
            raise BundleCorruptError("golden.json: expected finite vectors")
        return cls(texts=tuple(texts), vectors=vectors)
