"""The functions of an index, put together from their passages, with what each is compared by."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeembed import Index
from edgeembed.clones.normal_form import normal_tokens, structure_vector
from edgeembed.ingest.near_duplicates import near_duplicates
from edgeembed.ingest.readers.base.places import joined_text, place_of

_KINDS = frozenset({"function", "method"})
_BATCH = 1024


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function of an indexed file.

    Attributes:
        source: its file.
        line: its first line, from 1.
        symbol: its full name.
        tokens: of its normal form.
        vector: the mean of its passages', of unit length.
        structure: see `structure_vector`.
    """

    source: str
    line: int
    symbol: str
    tokens: int
    vector: NDArray[np.float32]
    structure: NDArray[np.float32]

    @property
    def place(self) -> str:
        """`src/app.py:12`."""
        return f"{self.source}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class CloneGroup:
    """Functions that are nearly the same, and the score of each beside the first."""

    functions: tuple[Function, ...]
    scores: tuple[float, ...]


def functions_of(index: Index, least_tokens: int) -> list[Function]:
    """The functions of an index that have so many tokens at least, by file and line."""
    found: list[Function] = []
    for pieces in _by_function(index):
        tokens = normal_tokens(joined_text((text, metadata) for text, metadata, _ in pieces))
        mean = np.mean([vector for _, _, vector in pieces], axis=0)
        length = float(np.linalg.norm(mean))
        if len(tokens) < least_tokens or not length:
            continue
        place = place_of(pieces[0][1])
        found.append(
            Function(
                source=str(place["source"]),
                line=int(place["line"]),
                symbol=str(place["symbol"]),
                tokens=len(tokens),
                vector=mean / length,
                structure=structure_vector(tokens),
            )
        )
    return sorted(found, key=lambda each: (each.source, each.line))


def clones_of(functions: list[Function], threshold: float) -> list[CloneGroup]:
    """Group functions whose scores reach the threshold, directly or transitively, best first.

    A score is the mean of two cosines: of the vectors, which say what a function is about, and of
    the structure vectors, which say how it is built, whatever its names are.
    """
    if not functions:
        return []
    # The cosine of two vectors joined is the mean of their cosines.
    joined = np.stack([np.concatenate([each.vector, each.structure]) for each in functions])
    groups = [
        CloneGroup(
            functions=tuple(functions[member] for member in group.members), scores=group.cosines
        )
        for group in near_duplicates(joined, threshold)
    ]
    return sorted(groups, key=lambda group: -group.scores[1])


_Piece = tuple[str, dict[str, Any], NDArray[np.float32]]


def _by_function(index: Index) -> Iterator[list[_Piece]]:
    """The passages of each function, in the order of its text."""
    functions: dict[tuple[object, ...], list[_Piece]] = {}
    for batch in index.batches(_BATCH):
        for stored, vector in zip(batch.documents, batch.vectors, strict=True):
            place = place_of(stored.metadata)
            if place.get("kind") not in _KINDS or not isinstance(place.get("line"), int):
                continue
            name = (
                place.get("source"),
                place.get("part"),
                place.get("symbol"),
                place.get("signature"),
            )
            functions.setdefault(name, []).append(
                (stored.document or "", dict(stored.metadata or {}), vector)
            )
    for pieces in functions.values():
        pieces.sort(key=lambda piece: place_of(piece[1]).get("start", 0))
        yield pieces
