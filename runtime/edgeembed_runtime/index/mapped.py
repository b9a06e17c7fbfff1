"""Files mapped into memory, whose pages leave the process again."""

import errno
import mmap
import os
import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

# One touched row brings a page and its neighbours in (Linux: 64 KB, fault_around_bytes).
_TOUCH_BYTES = 1 << 16
_MOST_BYTES = 1 << 26


class MappedFile:
    """A file mapped for reading; the system's cache keeps its bytes when the process lets go."""

    def __init__(self, file: BinaryIO) -> None:
        """Map all of a file, which may be closed then.

        Raises:
            MemoryError: there is no room for it in the process.
            OSError: it cannot be read.
        """
        try:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryError(f"{file.name}: no memory is left to map it") from error
            raise
        self._lock = threading.Lock()
        self._touched = 0

    def array(self, dtype: Any, count: int, offset: int = 0) -> NDArray[Any]:
        """`count` numbers from a byte on; they keep the map alive."""
        return np.frombuffer(self.bytes, dtype, count, offset)

    def touched(self, rows: int) -> None:
        """Note how many rows were read here and there, and let go of the pages of many."""
        with self._lock:
            self._touched += rows * _TOUCH_BYTES
            if self._touched < _MOST_BYTES:
                return
            self._touched = 0
        self.release()

    def release(self) -> None:
        """Let all pages go, where the system can (Windows decides by itself)."""
        if hasattr(self.bytes, "madvise"):
            self.bytes.madvise(mmap.MADV_DONTNEED)


def mapped_array(path: Path, dtype: str) -> NDArray[Any]:
    """All of a file as numbers, (n,), mapped for reading; an empty file is an empty array.

    Raises:
        MemoryError: there is no room for it in the process.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:  # which cannot be mapped
            return np.empty(0, dtype)
        return MappedFile(file).array(dtype, size // np.dtype(dtype).itemsize)
