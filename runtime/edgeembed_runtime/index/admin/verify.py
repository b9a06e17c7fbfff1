"""Looks for damage in SQLite, in the files, and in how they relate to each other."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime import storage
from edgeembed_runtime.errors import (
    EdgeEmbedError,
    IndexReadOnlyError,
    IndexReplacedError,
    out_of_files,
)
from edgeembed_runtime.index.ann.backend import AnnShape
from edgeembed_runtime.index.ann.checked_backend import find_ann_problem
from edgeembed_runtime.index.ann.registry import backend_of_suffix
from edgeembed_runtime.index.base.layout import (
    CATALOG,
    require_regular,
    segment_path,
    sha256_regular,
)
from edgeembed_runtime.index.base.types import VerifyReport
from edgeembed_runtime.index.catalog.catalog import Catalog, meta_int
from edgeembed_runtime.index.catalog.documents import blank_docids, iterate_rows
from edgeembed_runtime.index.catalog.fts import find_fts_problem
from edgeembed_runtime.index.segments.segment import SegmentInfo, read_infos
from edgeembed_runtime.index.segments.snapshot import Snapshot, load_snapshot
from edgeembed_runtime.index.vectors.block import Rows

_ROWS = 16_384
# float32 rounding moves the length of a unit vector of 8192 components by less than this.
_LENGTH_TOLERANCE = 1e-3
_MAX_PROBLEMS = 100


def verify_index(directory: Path, catalog: Catalog, *, full: bool) -> VerifyReport:
    """Check an index; never raises for damage, which is listed instead.

    Raises:
        StorageError: no more files can be opened, so nothing can be said.

    Quick: SQLite's quick_check, the kind and size of every file, that each document has one vector
    and each vector a row. Full, in addition: SQLite's indexes, the keyword table, every SHA-256,
    every ANN file, every vector, every document.

    Everything happens in one read transaction, so a writer elsewhere waits, or times out.
    """
    problems: list[str] = []
    generation = documents = 0
    try:
        with catalog.reading() as connection:
            problems += [f"{CATALOG}: {problem}" for problem in _catalog(connection, full=full)]
            generation = meta_int(connection, "gen")
            for row in iterate_rows(connection, generation) if full else ():
                if not row.is_sound():
                    problems.append(f"document {row.key!r}: damaged")
            for info in read_infos(connection, directory):
                problems += _files(directory, info, catalog.dim, full=full)
            snapshot = load_snapshot(connection, directory, catalog.dim, None)
            documents = snapshot.documents
            docids = connection.execute("SELECT docid, dead IS NULL FROM doc").fetchall()
            blank = blank_docids(connection)
            if full and catalog.has_fts and catalog.is_current:
                problem = find_fts_problem(connection)
                problems += [f"{CATALOG}: {problem}"] if problem else []
        problems += _relations(snapshot, docids)
        for block in snapshot.blocks if full else ():
            problems += _vectors(block, blank)
    except (IndexReadOnlyError, IndexReplacedError):
        raise
    except EdgeEmbedError as error:
        if out_of_files(error):
            raise
        problems.append(str(error))
    unique = tuple(dict.fromkeys(problems))[:_MAX_PROBLEMS]
    return VerifyReport(generation=generation, documents=documents, full=full, problems=unique)


def _catalog(connection: sqlite3.Connection, *, full: bool) -> Iterator[str]:
    check = "integrity_check" if full else "quick_check"
    for (line,) in connection.execute(f"PRAGMA {check}({_MAX_PROBLEMS})"):
        if line != "ok":
            yield line
    (impossible,) = connection.execute(
        "SELECT count(*) FROM doc WHERE max(born, coalesce(dead, born)) > ? OR dead < born",
        (meta_int(connection, "gen"),),
    ).fetchone()
    if impossible:
        yield f"{impossible} document rows are of generations that cannot be"
    (dead,) = connection.execute("SELECT count(*) FROM doc WHERE dead IS NOT NULL").fetchone()
    if dead != meta_int(connection, "dead"):
        yield f"expected {meta_int(connection, 'dead')} dead document rows, found {dead}"


def _files(directory: Path, info: SegmentInfo, dim: int, *, full: bool) -> Iterator[str]:
    for role, entry in sorted(info.files.items()):
        path = segment_path(directory, entry.name)
        try:
            require_regular(path, entry.bytes)
            with storage.storage_errors("read", path):
                if full and sha256_regular(path, entry.bytes) != entry.sha256:
                    yield f"{path}: its SHA-256 differs from the catalog's"
                backend = backend_of_suffix(role) if full else None
                if backend is not None:
                    shape = AnnShape(n=info.n, dim=dim, build_parameter=info.build_parameter)
                    problem = find_ann_problem(backend, path, shape)
                    if problem is not None:
                        yield f"{path}: {problem}"
        except EdgeEmbedError as error:
            if out_of_files(error):
                raise
            yield str(error)


def _relations(snapshot: Snapshot, docids: list[tuple[int, int]]) -> Iterator[str]:
    known = np.array([docid for docid, _ in docids], dtype=np.int64)
    living = np.array([docid for docid, alive in docids if alive], dtype=np.int64)
    held: NDArray[np.int64] = np.concatenate([rows.ids for rows in snapshot.blocks])
    unique, counts = np.unique(held, return_counts=True)
    if (counts > 1).any():
        yield f"row {unique[np.argmax(counts > 1)]} has more than one vector"
    without = np.setdiff1d(living, unique)
    if without.size:
        yield f"{without.size} documents have no vector, such as row {without[0]}"
    orphans = np.setdiff1d(unique, known)
    if orphans.size:
        yield f"{orphans.size} vectors belong to no document, such as row {orphans[0]}"


def _vectors(rows: Rows, blank: NDArray[np.int64]) -> Iterator[str]:
    expected = np.ones(rows.ids.size)
    expected[rows.positions_of(blank)] = 0
    for start in range(0, rows.ids.size, _ROWS):
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.linalg.norm(rows.vectors[start : start + _ROWS], axis=1)
        wanted = expected[start : start + _ROWS]
        bad = ~(np.abs(lengths - wanted) < _LENGTH_TOLERANCE)  # also true for NaN
        if bad.any():
            docid = rows.ids[start + int(np.argmax(bad))]
            length = wanted[np.argmax(bad)]
            yield f"the vector of row {docid} is damaged: its length is not {length:g}"
            return
