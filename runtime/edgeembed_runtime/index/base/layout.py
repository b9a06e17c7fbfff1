"""The files of an index: their names, and how they are opened safely."""

import hashlib
import re
import stat
from io import BufferedReader
from pathlib import Path

from edgeembed_runtime._internal.plain_files import open_plain_file
from edgeembed_runtime.errors import IndexCorruptError
from edgeembed_runtime.storage import storage_errors

CATALOG = "edgeembed.sqlite3"
LOCK = "writer.lock"
SEGMENTS = "seg"
SEGMENT_ROLES = ("f32", "ids", "i8")
"""The suffixes of a segment's own files; ANN backends add theirs."""
_UUID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SUFFIX = re.compile(r"[a-z0-9]{1,16}", re.ASCII)
# No separator, no dot-dot, no drive, no device name.
_SEGMENT_FILE = re.compile(rf"{_UUID.pattern}\.{_SUFFIX.pattern}", re.ASCII)


def is_suffix(suffix: object) -> bool:
    """Whether this may follow the dot in a segment file's name."""
    return isinstance(suffix, str) and _SUFFIX.fullmatch(suffix) is not None


def is_segment_file(name: object) -> bool:
    """Whether this is a valid name of a segment file."""
    return isinstance(name, str) and _SEGMENT_FILE.fullmatch(name) is not None


def segment_path(directory: Path, name: object) -> Path:
    """The path of a segment file that the catalog names.

    Raises:
        IndexCorruptError: edgeembed gives no such names.
    """
    if not isinstance(name, str) or not is_segment_file(name):
        raise IndexCorruptError(f"{directory / CATALOG} names a segment file {str(name)[:80]!r}")
    return directory / SEGMENTS / name


def checked_uuid(directory: Path, value: object) -> str:
    """The value, checked to be a segment's uuid.

    Raises:
        IndexCorruptError: it is not.
    """
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise IndexCorruptError(f"{directory / CATALOG} names a segment {str(value)[:80]!r}")
    return value


def require_regular(path: Path, size: int | None = None) -> None:
    """Make sure that a path is a regular file, not a link, of the given size in bytes.

    Raises:
        IndexCorruptError: it is missing, not a regular file, or has another size.
    """
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IndexCorruptError(f"{path} is missing; restore the index from a backup") from error
    except OSError:
        with storage_errors("read", path):
            raise
    if not stat.S_ISREG(found.st_mode):
        raise IndexCorruptError(f"{path}: expected a regular file, found a link or a special file")
    if size is not None and found.st_size != size:
        raise IndexCorruptError(
            f"{path}: expected {size} bytes, found {found.st_size}; restore it from a backup"
        )


def sha256_regular(path: Path, size: int) -> str:
    """The SHA-256 of a regular file of `size` bytes, in hex digits.

    Raises:
        IndexCorruptError: see require_regular.
        StorageError: it cannot be read.
    """
    with storage_errors("read", path), open_regular(path, size) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_regular(path: Path, size: int | None) -> BufferedReader:
    """Open a regular file of `size` bytes (None: any size) for reading, never through a link.

    Raises:
        IndexCorruptError: see require_regular.
        StorageError: it cannot be opened.
    """
    require_regular(path, size)
    with storage_errors("read", path):
        return open_plain_file(path)
