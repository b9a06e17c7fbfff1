"""Turns the arguments of an upsert into one checked batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.unit_vectors import unit_rows
from edgeembed_runtime.index.base.validation import (
    Batch,
    check_keys,
    check_lengths,
    check_metadatas,
    check_texts,
    last_of_each_key,
)


def make_batch(
    keys: Sequence[str],
    documents: Sequence[str] | None,
    vectors: ArrayLike | None,
    metadatas: Sequence[Mapping[str, Any] | None] | None,
    *,
    dim: int,
    encoder: IndexEncoder | None,
) -> Batch:
    """Check everything, encode the documents if there are no vectors, and drop repeated keys.

    Raises:
        InputError: an argument cannot be used.
    """
    names = check_keys(keys)
    texts = None if documents is None else check_texts(documents, what="documents")
    jsons = None if metadatas is None else check_metadatas(metadatas)
    given = None if vectors is None else unit_rows(vectors, dim=dim, what="vectors")
    check_lengths(
        len(names),
        documents=None if texts is None else len(texts),
        metadatas=None if jsons is None else len(jsons),
        vectors=None if given is None else len(given),
    )
    rows = _encode(names, texts, encoder, dim) if given is None else given
    return last_of_each_key(
        Batch(
            keys=names,
            documents=texts if texts is not None else [None] * len(names),
            metadatas=jsons if jsons is not None else [None] * len(names),
            vectors=rows,
        )
    )


def _encode(
    keys: Sequence[str], texts: list[str] | None, encoder: IndexEncoder | None, dim: int
) -> NDArray[np.float32]:
    if texts is None and keys:
        raise InputError("upsert: expected documents or vectors, got neither")
    if not texts:
        return np.empty((0, dim), dtype=np.float32)
    if encoder is None:
        raise InputError(
            "upsert: expected vectors, because the index was opened without an encoder"
        )
    rows = unit_rows(encoder.encode_document(texts), dim=dim, what="encoder")
    check_lengths(len(texts), encoder=len(rows))
    return rows
