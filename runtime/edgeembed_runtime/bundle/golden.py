"""golden.json: real inputs and the original model's vectors for them."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import BundleCorruptError


def _no_vectors() -> NDArray[np.float32]:
    return np.zeros((0, 0), np.float32)


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Inputs and their reference vectors, (n, d) float32 for each modality.

    `texts` are encoded without a prompt; `images` are names of files in the bundle. `made_by` says
    what made the vectors of the texts: the library and its version.
    """

    texts: tuple[str, ...] = ()
    vectors: NDArray[np.float32] = field(default_factory=_no_vectors)
    made_by: str = ""
    images: tuple[str, ...] = ()
    image_vectors: NDArray[np.float32] = field(default_factory=_no_vectors)

    @property
    def dim(self) -> int:
        """The dimension of the vectors."""
        return int((self.vectors if self.texts else self.image_vectors).shape[1])

    @property
    def all_vectors(self) -> NDArray[np.float32]:
        """The text vectors followed by the image vectors: (n + m, d) float32."""
        vectors = [v for v in (self.vectors, self.image_vectors) if len(v)]
        return np.concatenate(vectors)

    def to_json(self) -> bytes:
        """Serialize as UTF-8 JSON; vectors are base64 of row-major little-endian float32."""
        tree: dict[str, Any] = {}
        if self.texts:
            tree |= {
                "texts": list(self.texts),
                "dim": self.dim,
                "vectors": _to_base64(self.vectors),
            }
        if self.made_by:
            tree["made_by"] = self.made_by
        if self.images:
            encoded = _to_base64(self.image_vectors)
            tree |= {"images": list(self.images), "dim": self.dim, "image_vectors": encoded}
        return (json.dumps(tree, ensure_ascii=True, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Golden":
        """Parse what `to_json` wrote.

        Raises:
            BundleCorruptError: the JSON is invalid, or inputs and vectors do not match.
        """
        try:
            tree: Any = json.loads(data)
            texts, vectors = _read_inputs(tree, "texts", "vectors")
            images, image_vectors = _read_inputs(tree, "images", "image_vectors")
            made_by = str(tree.get("made_by", ""))
        except (
            AttributeError,
            KeyError,
            OverflowError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise BundleCorruptError(
                f"golden.json: expected inputs and their vectors: {error}"
            ) from error
        if not texts and not images:
            raise BundleCorruptError("golden.json: expected texts or images, at least one")
        return cls(
            texts=texts,
            vectors=vectors,
            made_by=made_by,
            images=images,
            image_vectors=image_vectors,
        )


def _to_base64(vectors: NDArray[np.float32]) -> str:
    return base64.b64encode(np.ascontiguousarray(vectors, "<f4").tobytes()).decode()


def _read_inputs(
    tree: Mapping[str, Any], kind: str, vectors: str
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    if kind not in tree:
        return (), _no_vectors()
    inputs = tree[kind]
    if type(inputs) is not list or not inputs or not all(type(each) is str for each in inputs):
        raise BundleCorruptError(f"golden.json: {kind}: expected a list of strings, at least one")
    flat = np.frombuffer(base64.b64decode(tree[vectors], validate=True), "<f4")
    rows = flat.reshape(len(inputs), int(tree["dim"])).astype(np.float32)
    if not np.isfinite(rows).all():
        raise BundleCorruptError("golden.json: expected finite vectors")
    return tuple(inputs), rows
