"""The only module that writes, syncs, renames or removes files.

This keeps the durability rules in one place and lets tests fail any single step.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import sys
import uuid
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import BinaryIO

from edgeembed_runtime._internal.plain_files import check_replaceable, open_plain_file
from edgeembed_runtime.errors import StorageError

_CHUNK_BYTES = 1 << 20
# Folders in folders, and the list of the last: descriptors that it takes to remove what is staged.
_TO_REMOVE = 6
# What is only half made at this moment; see remove_stages.
_stages: set[Path] = set()
_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "the disk quota is used up; free some space and try again",
    errno.EACCES: "permission denied; choose a folder this user may write to",
    errno.EPERM: "permission denied; choose a folder this user may write to",
    errno.EROFS: "the file system is read-only; choose another folder",
}


@contextlib.contextmanager
def storage_errors(action: str, path: Path) -> Generator[None]:
    """Re-raise an OSError from the block as a StorageError that names the action and the path."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(action, path, error) from error


def storage_error(action: str, path: Path | str, error: OSError) -> StorageError:
    """The StorageError for an OSError; it says what to do where that is known."""
    reasons = {} if action == "read" else _REASONS
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return StorageError(f"could not {action} {path}: {reason}")


def sha256_of(data: bytes | memoryview) -> str:
    """Return the SHA-256 of bytes as 64 lowercase hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's contents as 64 lowercase hex digits."""
    with open_plain_file(path, follow_links=True) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_file(path: Path, data: bytes | memoryview) -> None:
    """Write a new file and sync it to disk; never overwrites an existing file.

    Raises:
        StorageError: the file exists, or the file system refused.
    """
    with storage_errors("write", path):
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            _fsync(file.fileno())


def write_stream(path: Path, chunks: Iterable[bytes | memoryview]) -> tuple[int, str]:
    """Like `write_file`, but from chunks; returns the size in bytes and the SHA-256."""
    digest, size = hashlib.sha256(), 0
    with storage_errors("write", path):
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644
        )
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            file.flush()
            _fsync(file.fileno())
    return size, digest.hexdigest()


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Create a directory and its missing parents, and sync them; `mode` applies to the last one.

    An existing directory is fine.
    """
    with storage_errors("create a folder at", path):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    for folder in reversed(missing):
        sync_directory(folder.parent)


def sync_file(path: Path) -> None:
    """Sync a file that other code wrote."""
    with storage_errors("sync", path), path.open("rb+") as file:
        _fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Sync a directory's entries (a no-op on Windows, which has no such call)."""
    if sys.platform == "win32":
        return
    with storage_errors("sync", path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            _fsync(descriptor)
        finally:
            os.close(descriptor)


def _fsync(descriptor: int) -> None:
    if sys.platform == "darwin":  # fsync() on macOS leaves data in the drive's cache
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def remove_file(path: Path) -> None:
    """Remove a file if it exists."""
    with storage_errors("remove", path):
        path.unlink(missing_ok=True)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's contents to a new file and sync it; `target` must not exist."""
    with (
        storage_errors("copy to", target),
        open_plain_file(source, follow_links=True) as reader,
        target.open("xb") as writer,
    ):
        shutil.copyfileobj(reader, writer, _CHUNK_BYTES)
        writer.flush()
        _fsync(writer.fileno())


@contextlib.contextmanager
def staged_file(target: Path) -> Generator[BinaryIO]:
    """Write to a temporary file and atomically move it to `target` when the block succeeds.

    If the block raises (including Ctrl-C), the temporary file is removed and `target` is unchanged.

    Raises:
        StorageError: the file system refused, or `target` is no regular file.
    """
    with storage_errors("write", target):
        check_replaceable(target)
    stage = target.absolute().parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
    _stages.add(stage)
    try:
        with storage_errors("write", target):
            with stage.open("xb") as file:
                yield file
                file.flush()
                _fsync(file.fileno())
            stage.replace(target)
    finally:
        with contextlib.suppress(OSError):
            stage.unlink()
        _stages.discard(stage)


@contextlib.contextmanager
def staged_directory(target: Path, *, replace: bool) -> Generator[Path]:
    """Build a directory on the side and rename it to `target` when the block succeeds.

    Yields an empty directory next to `target`. If the block raises (including Ctrl-C), it is
    removed and `target` is unchanged. With `replace`, an existing `target` is swapped out last.

    Raises:
        StorageError: the file system refused, or `target` exists and `replace` is false.
    """
    target = target.absolute()
    with storage_errors("create a folder beside", target):
        make_folder(target.parent)
        stage = target.parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
        kept = _descriptors_for_removal()
        _stages.add(stage)
    try:
        with storage_errors("create a folder beside", target):
            stage.mkdir()
        yield stage
        _put_in_place(stage, target, kept, replace=replace)
    except OSError as error:
        if isinstance(error, StorageError) or error.errno not in _REASONS:
            raise
        raise storage_error("write", target, error) from error
    finally:
        kept.close()
        shutil.rmtree(stage, ignore_errors=True)
        _stages.discard(stage)


def _descriptors_for_removal() -> contextlib.ExitStack:
    """Descriptors to close before a folder is removed, which has to open it and those in it.

    So it can be removed even when no more files can be opened.
    """
    with contextlib.ExitStack() as kept:
        for _ in range(_TO_REMOVE):
            kept.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        return kept.pop_all()


def remove_stages() -> None:
    """Remove what is only half made, for a process that ends without unwinding its stack."""
    for stage in list(_stages):
        _remove(stage)


def _remove(path: Path) -> None:
    """Remove a folder and what is in it, a file, or a link; what cannot be removed stays."""
    shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink()


def _put_in_place(stage: Path, target: Path, kept: contextlib.ExitStack, *, replace: bool) -> None:
    for directory, _, _ in os.walk(stage):
        sync_directory(Path(directory))
    with storage_errors("put in place", target):
        if not target.exists():
            stage.rename(target)
        elif replace and not target.is_dir():
            raise StorageError(f"{target}: expected a folder to replace, found something else")
        elif replace:
            old = stage.with_suffix(".old")
            try:
                target.rename(old)
                stage.rename(target)
            except BaseException:  # Ctrl-C comes between any two lines
                if old.exists() and not target.exists():
                    old.rename(target)
                raise
            finally:
                if target.exists():
                    _stages.add(old)
                    kept.close()
                    _remove(old)
                    _stages.discard(old)
        else:
            raise StorageError(
                f"{target} exists already; choose another path, or allow replacing it"
            )
    sync_directory(target.parent)
