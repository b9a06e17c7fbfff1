"""Every write, sync, rename and removal of a file goes through here.

One module, so that the durability rules stand in one place and tests can make any step fail.
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

from edgeembed_runtime.errors import StorageError

_CHUNK_BYTES = 1 << 20
_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "the disk quota is used up; free some space and try again",
    errno.EACCES: "permission denied; choose a folder this user may write to",
    errno.EPERM: "permission denied; choose a folder this user may write to",
    errno.EROFS: "the file system is read-only; choose another folder",
}


@contextlib.contextmanager
def storage_errors(action: str, path: Path) -> Generator[None]:
    """Turn an OSError inside the block into a StorageError that names the action and the path."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise _storage_error(action, path, error) from error


def _storage_error(action: str, path: Path, error: OSError) -> StorageError:
    reasons = {} if action == "read" else _REASONS
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return StorageError(f"could not {action} {path}: {reason}")


def sha256_of(data: bytes | memoryview) -> str:
    """SHA-256 of bytes, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 lower-case hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_file(path: Path, data: bytes | memoryview) -> None:
    """Write a new file and sync it to disk; an existing file is an error, never overwritten."""
    with storage_errors("write", path):
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            _fsync(file.fileno())


def write_stream(path: Path, chunks: Iterable[bytes | memoryview]) -> tuple[int, str]:
    """Write a new file piece by piece, as write_file does; returns its size and its SHA-256."""
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
    """Make a folder durably, with all that it stands in; the mode is that of the last one.

    A folder that is there already is fine.
    """
    with storage_errors("create a folder at", path):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    for folder in reversed(missing):
        sync_directory(folder.parent)


def sync_file(path: Path) -> None:
    """Make the bytes of a file that something else wrote durable."""
    with storage_errors("sync", path), path.open("rb+") as file:
        _fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable (a no-op on Windows, which has no such call)."""
    if sys.platform == "win32":
        return
    with storage_errors("sync", path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            _fsync(descriptor)
        finally:
            os.close(descriptor)


def _fsync(descriptor: int) -> None:
    if sys.platform == "darwin":  # fsync() there leaves the data in the drive's cache
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def remove_file(path: Path) -> None:
    """Remove a file; one that is gone already is fine."""
    with storage_errors("remove", path):
        path.unlink(missing_ok=True)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's bytes to a new file, durably; the target must not exist."""
    with (
        storage_errors("copy to", target),
        source.open("rb") as reader,
        target.open("xb") as writer,
    ):
        shutil.copyfileobj(reader, writer, _CHUNK_BYTES)
        writer.flush()
        _fsync(writer.fileno())


@contextlib.contextmanager
def staged_file(target: Path) -> Generator[BinaryIO]:
    """Write a file aside and put it in place as a whole when the block ends well.

    If the block raises (Ctrl-C included), the file aside is removed and `target` is as it was.

    Raises:
        StorageError: the file system refused.
    """
    stage = target.absolute().parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
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


@contextlib.contextmanager
def staged_directory(target: Path, *, replace: bool) -> Generator[Path]:
    """Build a directory aside and put it in place as a whole when the block ends well.

    Yields an empty directory beside `target`. If the block raises (Ctrl-C included), it is removed
    and `target` is as it was. With `replace`, what stands at `target` gives way at the very end.

    Raises:
        StorageError: the file system refused, or `target` exists and `replace` is false.
    """
    target = target.absolute()
    with storage_errors("create a folder beside", target):
        make_folder(target.parent)
        stage = target.parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
        stage.mkdir()
    try:
        yield stage
        _put_in_place(stage, target, replace=replace)
    except OSError as error:
        if isinstance(error, StorageError) or error.errno not in _REASONS:
            raise
        raise _storage_error("write", target, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _put_in_place(stage: Path, target: Path, *, replace: bool) -> None:
    for directory, _, _ in os.walk(stage):
        sync_directory(Path(directory))
    with storage_errors("put in place", target):
        if not target.exists():
            stage.rename(target)
        elif replace:
            old = stage.with_suffix(".old")
            target.rename(old)
            try:
                stage.rename(target)
            except OSError:
                old.rename(target)
                raise
            shutil.rmtree(old, ignore_errors=True)
        else:
            raise StorageError(
                f"{target} exists already; choose another path, or allow replacing it"
            )
    sync_directory(target.parent)
