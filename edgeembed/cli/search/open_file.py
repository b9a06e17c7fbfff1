"""Opens a file by the system's own viewer; never runs it."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from edgeembed_runtime.errors import StorageError

# What a desktop runs rather than shows. Of these the folder is opened.
_SUFFIXES = (
    ".app .bat .cmd .com .command .cpl .desktop .exe .hta .jar .js .jse .lnk .msi .ps1 .py .pyw "
    ".reg .scr .sh .tool .vbe .vbs .workflow .wsf .wsh"
)
_PROGRAMS = frozenset(_SUFFIXES.split())


def open_file(path: Path) -> None:
    """Open a file by the system's viewer, and return at once.

    Raises:
        StorageError: the file is gone, or this system has no viewer to start.
    """
    path = path.absolute()
    if not path.is_file():
        raise StorageError(f"{path}: expected a file, got nothing; index its folder again")
    shown = path.parent if path.suffix.lower() in _PROGRAMS else path
    try:
        if sys.platform == "win32":
            os.startfile(shown)
            return
        process = subprocess.Popen(
            [_viewer(), str(shown)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # Whoever starts a process has to take note of its end.
        threading.Thread(target=process.wait, daemon=True).start()
    except OSError as error:
        raise StorageError(f"{path}: cannot be opened: {error}") from error


def _viewer() -> str:
    name = "open" if sys.platform == "darwin" else "xdg-open"
    found = shutil.which(name)
    if found is None:
        raise StorageError(f"{name}: expected on the PATH, found nothing; install xdg-utils")
    return found
