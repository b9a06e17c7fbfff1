"""Which files of a folder hold text."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeembed_runtime.errors import InputError

# Folders that tools fill; nobody means them by "my files".
_TOOL_FOLDERS = frozenset({"node_modules", "__pycache__", "site-packages", "venv", "target"})
_PROBE_BYTES = 8192


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """A file to index, and its name in the index: its path as given, so that it can be opened."""

    path: Path
    name: str


def find_files(sources: Iterable[Path]) -> Iterator[FoundFile]:
    """Yield every file given, and every file of every folder given, in a stable order.

    Hidden files and folders, links, and folders that tools fill are passed over.

    Raises:
        InputError: a source does not exist.
    """
    for source in sources:
        if source.is_dir():
            yield from _walk(source)
        elif source.is_file():
            yield FoundFile(path=source, name=source.as_posix())
        else:
            raise InputError(f"{source}: expected a file or a folder, found nothing")


def read_text_file(path: Path) -> str | None:
    """The text of a file, or None where it holds none: NUL bytes, or no UTF-8."""
    with path.open("rb") as file:
        if b"\0" in file.read(_PROBE_BYTES):
            return None
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return None


def _walk(root: Path) -> Iterator[FoundFile]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in _TOOL_FOLDERS
        )
        for name in sorted(names):
            path = Path(folder) / name
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield FoundFile(path=path, name=path.as_posix())
