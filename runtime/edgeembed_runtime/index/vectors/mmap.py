"""Memory-mapped files whose pages do not stay resident."""

import errno
import mmap
import os
import threading
import weakref
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.plain_files import open_plain_file
from edgeembed_runtime.errors import IndexCorruptError
from edgeembed_runtime.storage import storage_errors

# A touched row also loads its neighbors: on Linux with large folios up to 2 MB of them.
_TOUCH_BYTES = 1 << 21
_MAX_BYTES = 1 << 26
# Up to this many rows are read by calls, which take twice the time but leave nothing resident.
_MAX_CALLS = 256


class MappedFile:
    """A file mapped for reading; released pages stay in the system's cache."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        """Map an open file, which may be closed afterwards; `path` is for messages.

        Raises:
            MemoryError: it does not fit into the address space.
            StorageError: it cannot be read.
        """
        try:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryError(f"{path}: no memory is left to map it") from error
            with storage_errors("read", path):
                raise
        self._path = path
        self._lock = threading.Lock()
        self._touched = 0
        self._descriptor: int | None = None
        if hasattr(os, "pread"):
            with storage_errors("read", path):
                self._descriptor = os.dup(file.fileno())
            weakref.finalize(self, os.close, self._descriptor)

    def array(self, dtype: Any, count: int, offset: int = 0) -> NDArray[Any]:
        """`count` numbers from byte `offset` on; they keep the map alive."""
        return np.frombuffer(self.bytes, dtype, count, offset)

    def take(
        self, rows: NDArray[np.float32], positions: NDArray[np.integer[Any]]
    ) -> NDArray[np.float32]:
        """Copy some rows of `rows`, the (n, d) array at the start of the file.

        Raises:
            IndexCorruptError: the file has become shorter.
            StorageError: it cannot be read.
        """
        if self._descriptor is None or positions.size > _MAX_CALLS:
            found = rows[positions]
            self._touched_some(positions.size)
            return found
        size = rows.shape[1] * rows.itemsize
        places = (positions * size).tolist()
        with storage_errors("read", self._path):
            data = b"".join([os.pread(self._descriptor, size, place) for place in places])
        if len(data) != size * positions.size:
            raise IndexCorruptError(f"{self._path}: has become shorter since it was opened")
        return np.frombuffer(data, rows.dtype).reshape(-1, rows.shape[1])

    def _touched_some(self, rows: int) -> None:
        with self._lock:
            self._touched += rows * _TOUCH_BYTES
            if self._touched < _MAX_BYTES:
                return
            self._touched = 0
        self.release()

    def release(self) -> None:
        """Release all resident pages, where the system can (Windows decides by itself)."""
        if hasattr(self.bytes, "madvise"):
            self.bytes.madvise(mmap.MADV_DONTNEED)


def mapped_array(path: Path, dtype: str) -> NDArray[Any]:
    """A whole file as (n,) numbers, mapped for reading; an empty file is an empty array.

    Raises:
        MemoryError: it does not fit into the address space.
        OSError: it is not a regular file, or cannot be read.
    """
    with open_plain_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if not size:  # an empty file cannot be mapped
            return np.empty(0, dtype)
        return MappedFile(file, path).array(dtype, size // np.dtype(dtype).itemsize)
