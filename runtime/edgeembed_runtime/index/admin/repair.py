"""Writes a sound index from what is left of a damaged one, which is only read."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.public import public
from edgeembed_runtime.index.admin.salvage import Salvaged, salvage
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder
from edgeembed_runtime.index.base.encoding import encoded_documents, titled
from edgeembed_runtime.index.base.validation import Batch
from edgeembed_runtime.index.catalog.catalog import Catalog, meta_int
from edgeembed_runtime.index.catalog.documents import DocumentRow, blank_docids, iterate_rows
from edgeembed_runtime.index.segments.segment import read_infos
from edgeembed_runtime.index.segments.snapshot import sound_tail

_BATCH = 1024


@public
@dataclass(frozen=True, kw_only=True)
class RepairReport:
    """What became of the documents of a damaged index, by key unless they are intact."""

    intact: int
    encoded: Sequence[str]
    """Their vectors were damaged, and were encoded again from the texts."""
    approximate: Sequence[str]
    """Their vectors were damaged, and now come from SQ8, or stay as they were found."""
    lost: Sequence[str]
    """Their texts were damaged, or their vectors were and could not be restored."""


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """Documents to write, and where their vectors come from."""

    batch: Batch
    encoded: Sequence[str]
    approximate: Sequence[str]
    lost: Sequence[str]


def repair(parts: Iterable[Repaired], write: Callable[[Batch], None]) -> RepairReport:
    """Write what was saved, and report on it."""
    intact = 0
    encoded: list[str] = []
    approximate: list[str] = []
    lost: list[str] = []
    for part in parts:
        if part.batch.keys:
            write(part.batch)
        intact += len(part.batch.keys) - len(part.encoded) - len(part.approximate)
        encoded += part.encoded
        approximate += part.approximate
        lost += part.lost
    return RepairReport(intact=intact, encoded=encoded, approximate=approximate, lost=lost)


def read_damaged(
    directory: Path, catalog: Catalog, encoder: IndexEncoder | None
) -> Generator[Repaired]:
    """Yield all documents that can be saved, in the order of writing.

    Raises:
        IndexCorruptError: the catalog itself cannot be read; only a backup helps.
    """
    with catalog.reading() as connection:
        generation = meta_int(connection, "gen")
        parts = [
            salvage(directory, info, catalog.dim) for info in read_infos(connection, directory)
        ]
        tail = sound_tail(connection, catalog.dim)
        every = np.ones(tail.ids.size, np.bool_)
        parts.append(
            Salvaged(
                ids=tail.ids, vectors=tail.vectors, exact=every, approximate=np.zeros_like(every)
            )
        )
        rows = iterate_rows(connection, generation)
        blank = blank_docids(connection)
        while some := list(islice(rows, _BATCH)):
            yield _repaired(some, [part for part in parts if part is not None], blank, encoder)


def _repaired(
    rows: Sequence[DocumentRow],
    parts: Sequence[Salvaged],
    blank: NDArray[np.int64],
    encoder: IndexEncoder | None,
) -> Repaired:
    readable = [row for row in rows if row.is_sound()]
    docids = np.array([row.docid for row in readable], np.int64)
    dim = parts[-1].vectors.shape[1]
    vectors = np.zeros((len(readable), dim), np.float32)
    exact, approximate = np.zeros(len(readable), np.bool_), np.zeros(len(readable), np.bool_)
    for part in parts:
        here = np.flatnonzero(np.isin(docids, part.ids))
        at = np.searchsorted(part.ids, docids[here])
        vectors[here] = part.vectors[at]
        exact[here], approximate[here] = part.exact[at], part.approximate[at]
    without = np.isin(docids, blank)  # what has no vector has none to lose
    vectors[without], exact[without], approximate[without] = 0, True, False
    encoded = _encode(readable, ~exact, encoder, vectors)
    kept = np.flatnonzero(exact | approximate | encoded)
    return Repaired(
        batch=Batch(
            keys=[readable[i].key for i in kept],
            documents=[readable[i].text for i in kept],
            metadatas=[readable[i].meta_json for i in kept],
            vectors=vectors[kept],
            titles=[readable[i].title for i in kept],
        ),
        encoded=[readable[i].key for i in np.flatnonzero(encoded)],
        approximate=[readable[i].key for i in np.flatnonzero(approximate & ~encoded)],
        lost=[row.key for row in rows if not row.is_sound()]
        + [readable[i].key for i in np.flatnonzero(~(exact | approximate | encoded))],
    )


def _encode(
    rows: Sequence[DocumentRow],
    wanted: NDArray[np.bool_],
    encoder: IndexEncoder | None,
    vectors: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Encode texts into `vectors` where wanted and possible; returns where."""
    done = np.zeros(len(rows), np.bool_)
    known = {i: row for i in np.flatnonzero(wanted).tolist() if (row := rows[i]).text is not None}
    if encoder is not None and known:
        texts = [titled(row.title, row.text or "") for row in known.values()]
        vectors[list(known)] = encoded_documents(encoder, texts, dim=vectors.shape[1])
        done[list(known)] = True
    return done
