"""An Encoder as an embedding function of Chroma, which writes down how to load it again."""
# pyright: reportUntypedBaseClass=false, reportUntypedClassDecorator=false
# Chroma need not be installed where the types are checked.

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed import Encoder, InputError, MissingExtraError

try:
    from chromadb.api.types import EmbeddingFunction
    from chromadb.utils.embedding_functions import register_embedding_function
except ModuleNotFoundError as _missing:
    raise MissingExtraError.for_extra("Chroma", "chroma") from _missing

_SPACES = {"cosine": "cosine", "dot": "ip", "euclidean": "l2"}


@register_embedding_function
class EdgeEmbedEmbeddingFunction(EmbeddingFunction[list[str]]):
    """The vectors of a bundle, with the model's own prompts for queries and documents.

    A collection remembers the bundle's path and space. A process that opens it again needs this
    module imported before, and gets an error if another model is at that path.
    """

    def __init__(self, bundle: str | None = None, variant: str = "auto") -> None:
        """Load a bundle; see `Encoder.load`."""
        self.encoder: Encoder = Encoder.load(bundle, variant=variant)
        self._bundle, self._variant = bundle, variant

    def __call__(self, input: list[str]) -> list[NDArray[np.float32]]:  # noqa: A002 (Chroma's name)
        """Encode documents, one vector each.

        Raises:
            InputError: a text is invalid; the message names its position.
        """
        return list(self.encoder.encode_document(input))

    def embed_query(self, input: list[str]) -> list[NDArray[np.float32]]:  # noqa: A002
        """Encode queries; raises like a call."""
        return list(self.encoder.encode_query(input))

    @staticmethod
    def name() -> str:
        """The name that a collection remembers."""
        return "edgeembed"

    def default_space(self) -> str:
        """The model's own similarity."""
        return _SPACES.get(self.encoder.similarity_name, "cosine")

    def get_config(self) -> dict[str, Any]:
        """What a collection remembers."""
        return {
            "bundle": self._bundle,
            "variant": self._variant,
            "space": self.encoder.space,
        }

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> "EdgeEmbedEmbeddingFunction":
        """Load what a collection remembers.

        Raises:
            BundleError: the bundle is missing, damaged, unsafe or too new.
            InputError: another model is at its path.
        """
        made = EdgeEmbedEmbeddingFunction(config.get("bundle"), config.get("variant", "auto"))
        _check_space(config, made.get_config())
        return made

    def validate_config_update(
        self, old_config: dict[str, Any], new_config: dict[str, Any]
    ) -> None:
        """Refuse another model for a collection.

        Raises:
            InputError: the spaces differ.
        """
        _check_space(old_config, new_config)


def _check_space(old: dict[str, Any], new: dict[str, Any]) -> None:
    expected, found = old.get("space"), new.get("space")
    if expected is not None and found != expected:
        raise InputError(
            f"bundle {new.get('bundle') or 'default'}: expected the model that the collection was "
            f"filled with, of space {expected}, found {found}; put that bundle back, or fill a new "
            "collection"
        )
