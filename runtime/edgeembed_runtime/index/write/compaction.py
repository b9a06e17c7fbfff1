"""Sealing, merging, purging and compacting, all by the same protocol.

First files are written and synced; then one SQLite transaction commits them and drops what they
replace; only then are old files removed.
"""

import sqlite3
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime.errors import IndexCorruptError
from edgeembed_runtime.index.base.layout import segment_path, sha256_regular
from edgeembed_runtime.index.base.settings import EXACT, IndexSettings
from edgeembed_runtime.index.catalog.catalog import Catalog, meta_int, set_meta
from edgeembed_runtime.index.catalog.documents import dead_docids, purge_documents
from edgeembed_runtime.index.segments.segment_writer import Sealed, write_segment
from edgeembed_runtime.index.segments.snapshot import SegmentView, Snapshot
from edgeembed_runtime.index.write.gc import collect
from edgeembed_runtime.index.write.merge_policy import Plan


def rewrite(
    directory: Path, catalog: Catalog, snapshot: Snapshot, plan: Plan, settings: IndexSettings
) -> None:
    """Carry out a plan on the current generation; the caller is the only writer.

    Raises:
        StorageError: the file system refused; the index is as it was.
        IndexCorruptError: a segment to merge is damaged; the index is as it was.
    """
    catalog.require_same_files()
    for view in plan.merge:
        _check_hash(directory, view)
    sources = [view.rows for view in plan.merge] + ([snapshot.tail] if plan.seal_tail else [])
    try:
        sealed = write_segment(directory, sources, catalog.dim, settings, build_ann=plan.build_ann)
        with catalog.writing() as (connection, generation):
            if sealed is not None:
                _insert(connection, sealed, generation)
            if plan.seal_tail:
                connection.execute("DELETE FROM tail")
            if plan.purge:
                _purge(connection, catalog, snapshot, plan, generation)
            if plan.seal_tail or plan.purge:
                set_meta(connection, "epoch", meta_int(connection, "epoch") + 1)
            _drop(connection, plan, generation)
    finally:
        # After a failure too: removes what the catalog does not name.
        collect(directory, catalog)


def _check_hash(directory: Path, view: SegmentView) -> None:
    # A damaged file must not be copied into a new one with a valid hash.
    entry = view.segment.info.files["f32"]
    path = segment_path(directory, entry.name)
    if sha256_regular(path, entry.bytes) != entry.sha256:
        raise IndexCorruptError(
            f"{path} is damaged: its SHA-256 differs from the catalog's; restore a backup"
        )


def _insert(connection: sqlite3.Connection, sealed: Sealed, generation: int) -> None:
    ann = sealed.ann
    cursor = connection.execute(
        "INSERT INTO segment(uuid, n, exact_ms, backend, trees, effort, "
        "recall, ann_ms, born) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            sealed.uuid,
            int(sealed.ids.size),
            sealed.exact_ms,
            ann.backend if ann else EXACT,
            ann.build_parameter if ann else 0,
            ann.efforts.near[0] if ann else 0,
            ann.efforts.to_json() if ann else None,
            ann.ms if ann else None,
            generation,
        ),
    )
    connection.executemany(
        "INSERT INTO segfile(seg, role, name, bytes, sha256) VALUES (?, ?, ?, ?, ?)",
        [
            (cursor.lastrowid, role, file.name, file.bytes, file.sha256)
            for role, file in sealed.files.items()
        ],
    )


def _purge(
    connection: sqlite3.Connection,
    catalog: Catalog,
    snapshot: Snapshot,
    plan: Plan,
    generation: int,
) -> None:
    """Remove the dead rows whose vectors are in no remaining segment."""
    dead = dead_docids(connection)
    merged = {view.segment.info.uuid for view in plan.merge}
    kept = [v.rows.ids for v in snapshot.segments if v.segment.info.uuid not in merged]
    gone: NDArray[np.int64] = dead
    for ids in kept:
        gone = np.setdiff1d(gone, ids, assume_unique=True)
    connection.executemany(
        "DELETE FROM tail WHERE docid = ?", ((docid,) for docid in gone.tolist())
    )
    purge_documents(connection, gone.tolist(), fts=catalog.has_fts)
    if gone.size:
        set_meta(connection, "floor", generation)


def _drop(connection: sqlite3.Connection, plan: Plan, generation: int) -> None:
    for view in plan.merge:
        seg = view.segment.info.seg
        connection.execute(
            "INSERT OR REPLACE INTO gc(name, after_gen) SELECT name, ? FROM segfile WHERE seg = ?",
            (generation, seg),
        )
        connection.execute("DELETE FROM segfile WHERE seg = ?", (seg,))
        connection.execute("DELETE FROM segment WHERE seg = ?", (seg,))
