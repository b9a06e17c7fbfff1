"""The text around a passage: of the passages before and after it in the same document."""

from collections.abc import Sequence
from dataclasses import replace

from edgeembed import Index
from edgeembed_runtime.index.base.types import Hit, StoredDocument


def with_neighbors(index: Index, hits: Sequence[Hit], context: int) -> list[Hit]:
    """The hits with `context` passages before and after each, without what both share.

    Passages are known by keys such as "notes/a.md#3" and a `source` in their metadata, as
    `edgeembed index` writes them; other documents have no neighbors.
    """
    if context == 0:
        return list(hits)
    wanted = [_neighbor_keys(hit, context) for hit in hits]
    keys = sorted({key for before, after in wanted for key in (*before, *after)})
    stored = {doc.key: doc for doc in index.get(keys) if doc is not None}
    return [
        replace(
            hit,
            before=_joined([stored[key] for key in before if key in stored], hit, ahead=True),
            after=_joined([stored[key] for key in after if key in stored], hit, ahead=False),
        )
        for hit, (before, after) in zip(hits, wanted, strict=True)
    ]


def _neighbor_keys(hit: Hit, context: int) -> tuple[list[str], list[str]]:
    name, mark, number = hit.key.rpartition("#")
    if not mark or not number.isdecimal() or _place(hit.metadata, "source") is None:
        return [], []
    at = int(number)
    before = [f"{name}#{n}" for n in range(max(0, at - context), at)]
    return before, [f"{name}#{n}" for n in range(at + 1, at + context + 1)]


def _joined(passages: list[StoredDocument], hit: Hit, *, ahead: bool) -> str:
    """The passages' text up to where the hit starts, or from where it ends."""
    text, end = "", None
    for passage in [p for p in passages if _same_document(p, hit)]:
        document, start = passage.document or "", _place(passage.metadata, "start")
        last = end if end is not None or ahead else _place(hit.metadata, "end")
        if isinstance(start, int) and isinstance(last, int):
            shared = last - start
            text += document[shared:] if shared > 0 else f"\n{document}" if text else document
        else:
            text += f"\n{document}" if text else document
        end = _place(passage.metadata, "end")
    first = _place(hit.metadata, "start")
    if ahead and text and isinstance(end, int) and isinstance(first, int) and end > first:
        text = text[: max(0, len(text) - (end - first))]
    return text


def _same_document(passage: StoredDocument, hit: Hit) -> bool:
    return _place(passage.metadata, "source") == _place(hit.metadata, "source")


def _place(metadata: object, field: str) -> object:
    return metadata.get(field) if isinstance(metadata, dict) else None
