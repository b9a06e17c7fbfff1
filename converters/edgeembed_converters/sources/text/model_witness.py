"""sentence-transformers as the witness: its own `encode` says what a bundle must return."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeembed_converters.sources.base.witness import Witness
from edgeembed_converters.sources.text.opened_model import heard_warnings, library_versions

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# The names that edgeembed takes for the prompt of a document; sentence-transformers' first only,
# as an empty "document" prompt, which every model has, hides the others (up to 6.2).
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")


def library_witness(model: "SentenceTransformer", max_tokens: int) -> Witness:
    """The witness of a model that sentence-transformers opened, cut at `max_tokens`.

    The limit is set as the position table has it: sentence-transformers would crash on longer
    texts of models that count positions from the padding token's.
    """
    if model.max_seq_length is not None and math.isfinite(model.max_seq_length):
        model.max_seq_length = max_tokens
    names = [name for name in _DOCUMENT_PROMPTS if model.prompts.get(name)]
    document: dict[str, Any] = {"prompt_name": names[0]} if names else {}
    return Witness(
        made_by=library_versions(),
        encode=_encoder(model.encode, {"prompt": ""}),
        prompted={
            "encode": _encoder(model.encode, {}),
            "encode_query": _encoder(model.encode_query, {}),
            "encode_document": _encoder(model.encode_document, document),
        },
    )


def _encoder(
    method: Callable[..., Any], options: dict[str, Any]
) -> Callable[[list[str]], NDArray[np.float32]]:
    def encode(texts: list[str]) -> NDArray[np.float32]:
        with heard_warnings():
            found = method(texts, batch_size=len(texts), show_progress_bar=False, **options)
        return np.asarray(found, np.float32)

    return encode
