"""Hits with the same text become one, which names the other places."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeembed_runtime.index.base.types import Hit

# The same text under other headings has another vector. Further apart than this, the headings make
# it another answer: "run the installer" of one product and of another.
_MAX_COSINE_GAP = 0.1
# How much deeper to look, each time that duplicates leave too few results, and how often.
_GROWTH, _ROUNDS = 2, 3


@dataclass(frozen=True, kw_only=True)
class Folded:
    """The best of the hits that share a text, and the others, best first."""

    hit: Hit
    others: tuple[Hit, ...]


def fold(hits: Sequence[Hit]) -> list[Folded]:
    """Fold hits whose texts differ in white space and case only; the order is kept.

    Hits without a text stay alone, and so do those whose cosines contradict the equality.
    """
    groups: list[list[Hit]] = []
    by_text: dict[str, list[list[Hit]]] = {}
    for hit in hits:
        text = " ".join((hit.document or "").split()).casefold()
        same = by_text.setdefault(text, []) if text else []
        for group in same:
            if _agree(group[0], hit):
                group.append(hit)
                break
        else:
            groups.append([hit])
            same.append(groups[-1])
    return [Folded(hit=best, others=tuple(others)) for best, *others in groups]


def search_folded(search: Callable[[int], Sequence[Hit]], k: int) -> list[Folded]:
    """The k best hits of different texts; looks deeper where duplicates take the places.

    Args:
        search: gives the n best hits.
        k: at least 1; fewer results only if there are no more, or nearly all are the same.
    """
    depth = k
    for _ in range(_ROUNDS):
        hits = search(depth)
        folded = fold(hits)
        if len(folded) >= k or len(hits) < depth:
            return folded[:k]
        depth *= _GROWTH
    return fold(search(depth))[:k]


def _agree(one: Hit, other: Hit) -> bool:
    if one.cosine is None or other.cosine is None:
        return True
    return abs(one.cosine - other.cosine) <= _MAX_COSINE_GAP
