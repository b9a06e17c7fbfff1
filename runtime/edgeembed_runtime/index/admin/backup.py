"""Copies a live index to a new one."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edgeembed_runtime import storage
from edgeembed_runtime.errors import IndexCorruptError, IndexExistsError, StorageError
from edgeembed_runtime.index.admin.verify import verify_index
from edgeembed_runtime.index.base.layout import CATALOG, SEGMENTS, open_regular, segment_path
from edgeembed_runtime.index.catalog.catalog import Catalog
from edgeembed_runtime.index.segments.segment import read_infos

_ATTEMPTS = 5
_CHUNK_BYTES = 1 << 20


def copy_index(directory: Path, catalog: Catalog, target: Path) -> None:
    """Copy one generation to a new directory, which appears as a whole or not at all.

    No lock is held while files are copied. If a writer elsewhere merges a file away meanwhile, the
    copy starts again from the new generation.

    Raises:
        IndexExistsError: `target` exists.
        IndexCorruptError: the index is damaged, or a file of it is no regular one.
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
        except (StorageError, IndexCorruptError) as error:
            if attempt == _ATTEMPTS or not isinstance(error.__cause__, FileNotFoundError):
                raise


def _copy(directory: Path, catalog: Catalog, stage: Path) -> None:
    with storage.storage_errors("create a folder in", stage):
        (stage / SEGMENTS).mkdir(mode=0o700)
    catalog.require_same_files()
    catalog.copy_to(stage / CATALOG)
    storage.sync_file(stage / CATALOG)
    copied = Catalog(stage, writable=False, busy_timeout_s=0)
    try:
        with copied.reading() as connection:
            infos = read_infos(connection, stage)
        for file in (file for info in infos for file in info.files.values()):
            _copy_file(
                segment_path(directory, file.name), segment_path(stage, file.name), file.bytes
            )
        report = verify_index(stage, copied, full=True)
    finally:
        copied.close()
    if not report.ok:
        found = "; ".join(report.problems[:3]).replace(str(stage), str(directory))
        raise IndexCorruptError(f"{directory} is damaged, and was not copied: {found}")


def _copy_file(source: Path, target: Path, size: int) -> None:
    with storage.storage_errors("copy", source), open_regular(source, size) as file:
        copied, _ = storage.write_stream(target, _pieces(file, size))
    if copied != size:
        raise IndexCorruptError(f"{source}: expected {size} bytes, and its size changes")


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """What is in a file, up to one byte more than it should be."""
    left = size + 1
    while left and (piece := file.read(min(left, _CHUNK_BYTES))):
        left -= len(piece)
        yield piece
