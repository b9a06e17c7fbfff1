"""Making a new, empty index."""

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from edgeembed_runtime import storage
from edgeembed_runtime.errors import IndexExistsError, InputError
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder, check_comparable
from edgeembed_runtime.index.base.layout import CATALOG, LOCK, SEGMENTS, require_regular
from edgeembed_runtime.index.catalog.catalog import MAX_DIM
from edgeembed_runtime.index.catalog.errors import sqlite_errors
from edgeembed_runtime.index.catalog.fts import has_fts5
from edgeembed_runtime.index.catalog.lock import WriterLock
from edgeembed_runtime.index.catalog.schema import create_schema
from edgeembed_runtime.version import __version__

_OWN_NAMES = {CATALOG, f"{CATALOG}-journal", LOCK, f"{LOCK}-journal", SEGMENTS}


def chosen_space(
    encoder: IndexEncoder | None, dim: int | None, space: str | None
) -> tuple[int, str]:
    """The dimension and space of a new index.

    Raises:
        InputError: neither an encoder nor a usable dim, or they contradict each other.
    """
    if encoder is not None:
        check_comparable(encoder)
        if dim not in (None, encoder.dim) or space not in (None, encoder.space):
            raise InputError("create: expected encoder, or dim and space, got both and different")
        dim, space = encoder.dim, encoder.space
    if isinstance(dim, bool) or not isinstance(dim, int) or not 1 <= dim <= MAX_DIM:
        raise InputError(f"dim: expected an encoder or an integer from 1 to {MAX_DIM}, got {dim!r}")
    return dim, space or ""


def create_index(
    directory: Path, *, dim: int, space: str, info: Mapping[str, str], lock_timeout_s: float
) -> None:
    """Make an empty index in a directory that is missing or empty (mode 0700 if it is made here).

    A creation that crashed half-way is simply done again.

    Raises:
        IndexExistsError: an index, or something else, is there.
        StorageError: the file system refused.
    """
    _make_directory(directory)
    lock = WriterLock(directory, lock_timeout_s)
    try:
        with storage.storage_errors("create a folder in", directory):
            (directory / SEGMENTS).mkdir(mode=0o700, exist_ok=True)
        _create_catalog(directory, dim=dim, space=space, info=_info_json(info))
        storage.sync_directory(directory)
        storage.sync_directory(directory.parent)
    finally:
        lock.release()


def _info_json(info: Mapping[str, str]) -> str:
    if not all(isinstance(text, str) for pair in info.items() for text in pair):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"info: expected texts by name, got {dict(info)!r:.80}")
    return json.dumps(dict(info))


def _make_directory(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise IndexExistsError(f"{directory}: expected a new or empty folder, found a file")
    storage.make_folder(directory, mode=0o700)
    with storage.storage_errors("read", directory):
        foreign = {path.name for path in directory.iterdir()} - _OWN_NAMES
    if foreign:
        raise IndexExistsError(
            f"{directory}: expected a new or empty folder, found {len(foreign)} other files, such "
            f"as {min(foreign)[:80]!r}; choose another path"
        )


def _create_catalog(directory: Path, *, dim: int, space: str, info: str) -> None:
    path = directory / CATALOG
    if path.exists() or path.is_symlink():
        require_regular(path)
    meta = {
        "gen": 0,
        "floor": 0,
        "epoch": 0,
        "dead": 0,
        "dim": dim,
        "space": space,
        "metric": "cosine",
        "info": info,
        "fts5": int(has_fts5()),
        "writer_version": __version__,
    }
    with (
        sqlite_errors(path),
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("BEGIN EXCLUSIVE")
        if connection.execute("PRAGMA schema_version").fetchone()[0]:
            raise IndexExistsError(f"{directory} holds an index already; open it instead")
        create_schema(connection, meta)
        connection.execute("COMMIT")
