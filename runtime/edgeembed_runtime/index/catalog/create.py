"""Creates new, empty indexes."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from edgeembed_runtime import storage
from edgeembed_runtime._internal.sqlite_files import open_database
from edgeembed_runtime.errors import IndexExistsError, IndexNotFoundError, InputError
from edgeembed_runtime.index.base.encoder_protocol import IndexEncoder, check_comparable
from edgeembed_runtime.index.base.layout import CATALOG, LOCK, SEGMENTS, require_regular
from edgeembed_runtime.index.base.opening import MAX_DIM
from edgeembed_runtime.index.base.settings import IndexSettings
from edgeembed_runtime.index.catalog.catalog import Catalog
from edgeembed_runtime.index.catalog.errors import sqlite_errors
from edgeembed_runtime.index.catalog.fts import has_fts5
from edgeembed_runtime.index.catalog.lock import WriterLock
from edgeembed_runtime.index.catalog.schema import UnfinishedIndexError, create_schema
from edgeembed_runtime.version import __version__

_OWN_NAMES = {CATALOG, f"{CATALOG}-journal", LOCK, f"{LOCK}-journal", SEGMENTS}


def create_index(
    directory: Path,
    encoder: IndexEncoder | None,
    dim: int | None,
    space: str | None,
    info: Mapping[str, str] | None,
    *,
    lock_timeout_s: float,
    exist_ok: bool = False,
) -> None:
    """Create an empty index in a missing or empty directory (mode 0700 if it is made here).

    A creation that was interrupted is simply done again.

    Args:
        directory: of the index.
        encoder: its dim and space become the index's.
        dim: without an encoder, components per vector.
        space: without an encoder, a name of the vectors' space.
        info: texts by name that the index keeps.
        lock_timeout_s: how long to wait for another writer, in seconds.
        exist_ok: whether an index may be there, which then stays as it is.

    Raises:
        InputError: no usable dim, or an encoder whose vectors are not compared by cosine.
        IndexExistsError: an index, or something else, is there.
        IndexLockedError: another writer has it open.
        StorageError: the file system refused.
    """
    new_dim, new_space = _chosen_space(encoder, dim, space)
    info_json = json.dumps(dict(info or {}))
    _make_directory(directory)
    lock = WriterLock(directory, lock_timeout_s)
    try:
        with storage.storage_errors("create a folder in", directory):
            (directory / SEGMENTS).mkdir(mode=0o700, exist_ok=True)
        created = _create_catalog(directory, dim=new_dim, space=new_space, info=info_json)
        if not created and not exist_ok:
            raise IndexExistsError(f"{directory} holds an index already; open it instead")
        storage.sync_directory(directory)
        storage.sync_directory(directory.parent)
    finally:
        lock.release()


def create_if_missing(
    directory: Path,
    encoder: IndexEncoder | None,
    dim: int | None,
    space: str | None,
    info: Mapping[str, str] | None,
    lock_timeout_s: float,
    settings: IndexSettings,
) -> None:
    """Create an empty index unless one is there already; see create_index.

    Of several processes that do so at once, one creates it.

    Raises:
        InputError, IndexExistsError, IndexLockedError, StorageError: see create_index.
        IndexCorruptError, IndexVersionError: an index is there that cannot be opened.
    """
    try:
        Catalog(directory, writable=False, busy_timeout_s=settings.busy_timeout_s).close()
    except (IndexNotFoundError, UnfinishedIndexError):
        if encoder is None and dim is None:
            raise InputError(
                f"{directory}: no index is there; to create one, pass encoder=..., or dim=... for "
                f"vectors of your own"
            ) from None
        create_index(
            directory, encoder, dim, space, info, lock_timeout_s=lock_timeout_s, exist_ok=True
        )


def _chosen_space(
    encoder: IndexEncoder | None, dim: int | None, space: str | None
) -> tuple[int, str]:
    if encoder is not None:
        check_comparable(encoder)
        if dim not in (None, encoder.dim) or space not in (None, encoder.space):
            raise InputError("encoder: expected it, or dim and space, got both and different")
        dim, space = encoder.dim, encoder.space
    if dim is None:
        raise InputError(f"dim: expected an encoder or an integer from 1 to {MAX_DIM}, got neither")
    return dim, space or ""


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


def _create_catalog(directory: Path, *, dim: int, space: str, info: str) -> bool:
    """Create the tables in one transaction; False where there are tables already."""
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
        contextlib.closing(open_database(path, mode="rwc", timeout_s=5)) as connection,
    ):
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("BEGIN EXCLUSIVE")
        if connection.execute("PRAGMA schema_version").fetchone()[0]:
            return False
        create_schema(connection, meta)
        connection.execute("COMMIT")
    return True
