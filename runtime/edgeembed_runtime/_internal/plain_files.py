"""Safe opening of untrusted paths: regular files only."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


class NotPlainFileError(OSError):
    """The path is a link, directory, FIFO or device; `found` describes which."""

    def __init__(self, path: Path, found: str) -> None:
        """Build the error for `path`, where `found` is."""
        super().__init__(errno.EINVAL, f"expected a plain file, found {found}", str(path))
        self.found = found


def open_plain_file(path: Path, *, follow_links: bool = False) -> BufferedReader:
    """Open a regular file for reading.

    A FIFO blocks until a writer appears, a device may never end, and a link can escape the trusted
    folder. The path may change between the check and the open, so the open file is checked again.

    Args:
        path: the file.
        follow_links: allow a link as the last path component; for the user's own files.

    Raises:
        NotPlainFileError: it is not a regular file.
        OSError: it cannot be opened.
    """
    _require_plain(path, path.stat(follow_symlinks=follow_links).st_mode)
    # O_NONBLOCK: never block on a FIFO.
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


def check_replaceable(path: Path) -> None:
    """Check that a file may take the place of what is at `path`: nothing, or a regular file.

    Renamed over a FIFO or a device, /dev/null too, it would be gone for everybody.

    Raises:
        NotPlainFileError: something else is there, or behind the link that is there.
        OSError: nobody can tell.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    _require_plain(path, mode)


def _require_plain(path: Path, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISLNK(mode):
        raise NotPlainFileError(path, "a link")
    raise NotPlainFileError(path, "a directory" if stat.S_ISDIR(mode) else "a special file")
