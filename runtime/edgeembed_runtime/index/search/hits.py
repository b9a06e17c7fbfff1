"""Turns ranked rows into hits: documents, cosines, what they mean, and the texts around them."""

import dataclasses
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.bundle.search_profile import Calibration
from edgeembed_runtime.index.base.types import Hit, StoredDocument
from edgeembed_runtime.index.catalog.documents import docids_of, read_documents
from edgeembed_runtime.index.search.fusion import Ranking
from edgeembed_runtime.index.search.query import LIKELIHOODS, SearchOptions
from edgeembed_runtime.index.segments.snapshot import Snapshot
from edgeembed_runtime.index.vectors.topk import cosines

# The passages of one source are numbered from 0: "notes.md#0", "notes.md#1".
_NUMBERED = re.compile(r"(.*)#(\d{1,18})", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """The rows found for one query, and the cosines that are known of them."""

    ranking: Ranking
    cosines: Mapping[int, float]
    calibration: Calibration | None


def cosines_of(
    snapshot: Snapshot, query: NDArray[np.float32], docids: Sequence[int]
) -> dict[int, float]:
    """The cosine of each document row's vector with a query; none for a row without a vector."""
    rows = snapshot.vectors_of(np.array(docids, np.int64))
    has_vector: NDArray[np.bool_] = np.any(rows != 0, axis=1)
    scores: list[float] = cosines(rows, query).tolist()
    return {docids[i]: scores[i] for i in np.flatnonzero(has_vector).tolist()}


def read_hits(
    connection: sqlite3.Connection, generation: int, found: Sequence[Ranked], options: SearchOptions
) -> list[list[Hit]]:
    """Read the documents of some results, and leave out what does not reach `min_score`.

    Raises:
        IndexCorruptError: a document that was found is damaged.
    """
    wanted = {docid for each in found for docid, _ in each.ranking}
    documents = read_documents(connection, wanted)
    hits = [
        [
            hit
            for docid, score in each.ranking
            if _is_good(hit := _hit(documents[docid], score, each, docid), options)
        ]
        for each in found
    ]
    if options.context:
        return [
            [_in_context(connection, generation, h, options.context) for h in few] for few in hits
        ]
    return hits


def _hit(document: StoredDocument, score: float, found: Ranked, docid: int) -> Hit:
    cosine = found.cosines.get(docid)
    probability = None
    if cosine is not None and found.calibration is not None:
        probability = found.calibration.probability(cosine)
    return Hit(
        key=document.key,
        score=score,
        document=document.document,
        metadata=document.metadata,
        title=document.title or "",
        cosine=cosine,
        probability=probability,
    )


def _is_good(hit: Hit, options: SearchOptions) -> bool:
    wanted = options.min_score
    if isinstance(wanted, str):
        return hit.probability is not None and hit.probability >= LIKELIHOODS[wanted]
    return wanted is None or hit.score >= wanted


def _in_context(connection: sqlite3.Connection, generation: int, hit: Hit, context: int) -> Hit:
    """The hit with the texts of the passages around it."""
    numbered = _NUMBERED.fullmatch(hit.key)
    if numbered is None:
        return hit
    source, number = numbered[1], int(numbered[2])
    around = range(max(0, number - context), number + context + 1)
    docids = docids_of(connection, [f"{source}#{n}" for n in around], generation)
    documents = read_documents(connection, docids.values())
    texts = {n: documents[docids[key]] for n in around if (key := f"{source}#{n}") in docids}
    start, end = _span(hit) or (None, None)
    before = [texts[n] for n in range(around.start, number) if n in texts]
    after = [texts[n] for n in range(number + 1, around.stop) if n in texts]
    return dataclasses.replace(
        hit,
        before=_joined(before, covered=None, until=start),
        after=_joined(after, covered=end, until=None),
    )


def _joined(passages: Sequence[StoredDocument], *, covered: int | None, until: int | None) -> str:
    """Their texts, each without what comes before `covered`, was in another, or is from `until`."""
    parts: list[str] = []
    for passage in passages:
        text, span = passage.document or "", _span(passage)
        if span is not None:
            first, last = span
            end = last if until is None else min(last, until)
            start = first if covered is None else max(first, covered)
            text = text[start - first : max(end, start) - first]
            covered = max(end, covered or 0)
        parts.append(text)
    return "\n".join(part.strip("\n") for part in parts if part.strip())


def _span(passage: StoredDocument | Hit) -> tuple[int, int] | None:
    """Where a passage stands in its source, in characters; None if nobody has said so."""
    metadata = passage.metadata or {}
    start, end = metadata.get("start"), metadata.get("end")
    if isinstance(start, int) and isinstance(end, int) and 0 <= start <= end:
        return start, end
    return None
