"""What an index needs from an encoder, and whether an encoder fits an index."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.arguments import checked_integer, checked_unicode
from edgeembed_runtime.errors import InputError, SpaceMismatchError


@public
class IndexEncoder(Protocol):
    """Anything that encodes texts as vectors of one space."""

    @property
    def dim(self) -> int:
        """Components per vector."""
        ...

    @property
    def space(self) -> str:
        """The fingerprint of the vector space: equal if vectors may be compared."""
        ...

    @property
    def similarity_name(self) -> str:
        """How the model compares vectors: cosine, dot, ..."""
        ...

    @property
    def normalized(self) -> bool:
        """Whether the vectors have unit length."""
        ...

    def encode_query(self, inputs: str | Sequence[str]) -> NDArray[np.float32]:
        """Return (d,) for a str, (n, d) for a list."""
        ...

    def encode_document(self, inputs: str | Sequence[str]) -> NDArray[np.float32]:
        """Return (d,) for a str, (n, d) for a list."""
        ...


_METHODS = ("encode_query", "encode_document")
_PROPERTIES = ("dim", "space", "similarity_name", "normalized")


def check_encoder(encoder: object) -> IndexEncoder:
    """Make sure that an object is an encoder, as far as can be told without encoding.

    Raises:
        InputError: it lacks what an IndexEncoder has, or its dim or space is none.
    """
    lacking = [name for name in _METHODS if not callable(getattr(encoder, name, None))]
    lacking += [name for name in _PROPERTIES if not hasattr(encoder, name)]
    if lacking or isinstance(encoder, type):
        raise InputError(
            f"encoder: expected an Encoder, or an object with {', '.join(lacking) or 'state'}, got "
            f"{type(encoder).__name__}"
        )
    found = cast("Any", encoder)
    checked_integer(found.dim, "encoder.dim")
    checked_unicode(found.space, "encoder.space")
    return cast("IndexEncoder", encoder)


def check_comparable(encoder: IndexEncoder) -> None:
    """Make sure that cosine is the right similarity for an encoder.

    Raises:
        InputError: it has another similarity, and vectors that are not of unit length.
    """
    if encoder.similarity_name != "cosine" and not encoder.normalized:
        raise InputError(
            f"encoder: expected cosine similarity or unit vectors, because an index scores by "
            f"cosine; found similarity {encoder.similarity_name!r} on vectors of any length"
        )


def check_space(dim: int | None, space: str | None, *, index_dim: int, index_space: str) -> None:
    """Make sure that an index has the requested dimension and space; None accepts any.

    Raises:
        SpaceMismatchError: it does not.
    """
    if dim not in (None, index_dim) or space not in (None, index_space):
        raise SpaceMismatchError(
            f"the index holds vectors of space {index_space!r} with {index_dim} dimensions, asked "
            f"for was {space if space is not None else index_space!r} with "
            f"{dim if dim is not None else index_dim}; choose another path"
        )


def check_fits(encoder: IndexEncoder, *, dim: int, space: str) -> None:
    """Make sure that an encoder's vectors belong in an index of `dim` and `space`.

    Raises:
        InputError: see check_comparable.
        SpaceMismatchError: another space or dimension.
    """
    check_comparable(encoder)
    if encoder.space != space or encoder.dim != dim:
        raise SpaceMismatchError(
            f"encoder: the index holds vectors of space {space!r} with {dim} dimensions, the "
            f"encoder produces {encoder.space!r} with {encoder.dim}; create a new index and upsert "
            f"the documents again with this encoder"
        )
