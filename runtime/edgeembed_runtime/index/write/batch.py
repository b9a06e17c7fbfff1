"""Turns the arguments of an upsert into one checked batch."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeembed_runtime._internal.stack import callers_level
from edgeembed_runtime.errors import InputError, UnknownTextWarning
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.encoding import encoded_documents, titled
from edgeembed_runtime.index.base.unit_vectors import unit_rows
from edgeembed_runtime.index.base.validation import (
    Batch,
    check_keys,
    check_lengths,
    check_metadatas,
    check_texts,
    check_titles,
    last_of_each_key,
)


def make_batch(
    keys: Sequence[str],
    documents: Sequence[str] | None,
    vectors: ArrayLike | Sequence[ArrayLike | None] | None,
    metadatas: Sequence[Mapping[str, Any] | None] | None,
    titles: Sequence[str | None] | None,
    *,
    dim: int,
    encoder: IndexEncoder | None,
) -> Batch:
    """Check everything, encode the documents that have no vector, and drop repeated keys.

    Raises:
        InputError: an argument cannot be used.
    """
    names = check_keys(keys)
    n = len(names)
    texts = None if documents is None else check_texts(documents, what="documents")
    jsons = None if metadatas is None else check_metadatas(metadatas)
    heads: list[str | None] = [None] * n if titles is None else check_titles(titles)
    check_lengths(
        n,
        documents=None if texts is None else len(texts),
        metadatas=None if jsons is None else len(jsons),
        titles=len(heads),
    )
    return last_of_each_key(
        Batch(
            keys=names,
            documents=texts if texts is not None else [None] * n,
            metadatas=jsons if jsons is not None else [None] * n,
            vectors=_all_vectors(vectors, texts, heads, encoder, dim),
            titles=heads,
        )
    )


def _all_vectors(
    vectors: ArrayLike | Sequence[ArrayLike | None] | None,
    texts: list[str] | None,
    titles: Sequence[str | None],
    encoder: IndexEncoder | None,
    dim: int,
) -> NDArray[np.float32]:
    """The vectors that were given, and those of the documents where none was."""
    n = len(titles)
    given = [None] * n if vectors is None else vectors
    if not isinstance(given, list) or (n and all(row is not None for row in given)):
        rows = unit_rows(cast("ArrayLike", given), dim=dim, what="vectors")
        check_lengths(n, vectors=len(rows))
        return rows
    check_lengths(n, vectors=len(given))
    missing = [i for i, row in enumerate(given) if row is None]
    present = [i for i, row in enumerate(given) if row is not None]
    found = np.zeros((n, dim), np.float32)
    if present:
        chosen = cast("ArrayLike", [given[i] for i in present])
        found[present] = unit_rows(chosen, dim=dim, what="vectors")
    if missing:
        if texts is None:
            raise InputError("upsert: expected documents or vectors, got neither")
        if encoder is None:
            raise InputError(
                "upsert: expected vectors, because the index was opened without an encoder"
            )
        wanted = [titled(titles[i], texts[i]) for i in missing]
        found[missing] = encoded_documents(encoder, wanted, dim=dim)
        _warn_of_blank(found[missing])
    return found


def _warn_of_blank(vectors: NDArray[np.float32]) -> None:
    blank = int((~vectors.any(axis=1)).sum())
    if blank:
        texts = "1 text has" if blank == 1 else f"{blank} texts have"
        warnings.warn(
            f"{texts} no word that the model knows, and so no vector: only keyword search finds "
            f"them; index them with a model of their language",
            UnknownTextWarning,
            stacklevel=callers_level(),
        )
