"""Opening files that somebody else may have prepared: plain ones only."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotPlainFileError(OSError):
    """A path leads to a link, a directory, a FIFO, a device: `found` says what, in words."""

    def __init__(self, path: Path, found: str) -> None:
        """Say what stands at `path`."""
        super().__init__(errno.EINVAL, f"expected a plain file, found {found}", str(path))
        self.found = found


def open_plain_file(path: Path, *, follow_links: bool = False) -> BinaryIO:
    """Open a plain file for reading.

    Opening a FIFO would wait for a writer for ever, a device may never end, and a link leads out of
    the folder that is trusted. The file may become another between a look and the opening, so what
    was opened is looked at again.

    Args:
        path: the file.
        follow_links: whether the last part of the path may be a link; for a user's own files.

    Raises:
        NotPlainFileError: it is none.
        OSError: it cannot be opened.
    """
    _require_plain(path, path.stat(follow_symlinks=follow_links).st_mode)
    # O_NONBLOCK: see above about FIFOs.
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    if not follow_links:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow_links:
            raise NotPlainFileError(path, "a link") from error
        raise
    try:
        _require_plain(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _require_plain(path: Path, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISLNK(mode):
        raise NotPlainFileError(path, "a link")
    raise NotPlainFileError(path, "a directory" if stat.S_ISDIR(mode) else "no regular file")
