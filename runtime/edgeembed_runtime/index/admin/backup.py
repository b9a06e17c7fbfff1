"""Copies a live index to a new one."""

from pathlib import Path

from edgeembed_runtime import storage
from edgeembed_runtime.errors import IndexExistsError, StorageError
from edgeembed_runtime.index.base.layout import CATALOG, SEGMENTS, segment_path
from edgeembed_runtime.index.catalog.catalog import Catalog

_ATTEMPTS = 5


def copy_index(directory: Path, catalog: Catalog, target: Path) -> None:
    """Copy one generation to a new directory, which appears as a whole or not at all.

    No lock is held while files are copied. If a writer elsewhere merges a file away meanwhile, the
    copy starts again from the new generation.

    Raises:
        IndexExistsError: `target` exists.
        StorageError: the file system refused.
    """
    if target.exists() or target.is_symlink():
        raise IndexExistsError(f"{target} exists already; choose another path for the backup")
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with storage.staged_directory(target, replace=False) as stage:
                stage.chmod(0o700)
                _copy(directory, catalog, stage)
            return
        except StorageError as error:
            if attempt == _ATTEMPTS or not isinstance(error.__cause__, FileNotFoundError):
                raise


def _copy(directory: Path, catalog: Catalog, stage: Path) -> None:
    with storage.storage_errors("create a folder in", stage):
        (stage / SEGMENTS).mkdir(mode=0o700)
    catalog.copy_to(stage / CATALOG)
    storage.sync_file(stage / CATALOG)
    copied = Catalog(stage, writable=False, busy_timeout_s=0)
    try:
        with copied.reading() as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM segfile")]
    finally:
        copied.close()
    for name in names:
        storage.copy_file(segment_path(directory, name), segment_path(stage, name))
