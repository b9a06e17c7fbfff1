"""Finds the files of folders."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.layout import CATALOG
from edgeembed_runtime.storage import storage_errors

# Folders that tools fill, which are not what people mean by "my files".
_TOOL_FOLDERS = frozenset({"node_modules", "__pycache__", "site-packages", "venv", "target"})


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """A file to index, and its name in the index: the path as given, so that it can be opened."""

    path: Path
    name: str
    below: str = ""
    """Its path below the folder that is indexed; "": it was named itself."""

    @property
    def place(self) -> str:
        """Its absolute path, with links in its folder resolved."""
        return os.path.join(os.path.realpath(self.path.parent), self.path.name)  # noqa: PTH118


@dataclass(frozen=True, kw_only=True)
class FoundFiles:
    """The files of some sources: what is under `scanned` but not in `files` does not exist.

    `scanned` and `unreadable` hold places (see `FoundFile.place`); the latter are folders that
    could not be listed.
    """

    files: tuple[FoundFile, ...]
    scanned: tuple[str, ...]
    unreadable: tuple[str, ...]


def place_of(source: Path) -> str:
    """The place of a source: a folder with links resolved, or a file as in FoundFile.place."""
    if source.is_dir():
        return os.path.realpath(source)
    return FoundFile(path=source, name="").place


def scan(sources: Iterable[Path]) -> FoundFiles:
    """Find the files of all sources, each of them once.

    Raises:
        InputError: a source does not exist.
    """
    given, unreadable = list(sources), list[str]()
    found = find_files(given, lambda folder: unreadable.append(os.path.realpath(folder)))
    files = {file.name: file for file in found}
    return FoundFiles(
        files=tuple(files.values()),
        scanned=tuple(place_of(source) for source in given),
        unreadable=tuple(unreadable),
    )


def scan_below(root: Path, paths: Iterable[Path]) -> FoundFiles:
    """Find what is at or below some paths in the folder `root`, as scan([root]) would."""
    reached = [path for path in paths if _is_reached(root, path)]
    files: dict[str, FoundFile] = {}
    unreadable: list[str] = []
    for path in reached:
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            unreadable.append(place_of(path))
            continue
        found = iter([_found(path, root)] if stat.S_ISREG(mode) else [])
        if stat.S_ISDIR(mode):
            found = _walk(path, lambda folder: unreadable.append(os.path.realpath(folder)), root)
        files.update({file.name: file for file in found})
    return FoundFiles(
        files=tuple(files.values()),
        scanned=tuple(FoundFile(path=path, name="").place for path in reached),
        unreadable=tuple(unreadable),
    )


def find_files(
    sources: Iterable[Path], on_unreadable: Callable[[Path], None] = lambda _: None
) -> Iterator[FoundFile]:
    """Yield every file given, and every file of every folder given, in a stable order.

    Hidden files and folders, links, indexes, and folders filled by tools are skipped.

    Args:
        sources: files and folders.
        on_unreadable: called with each folder that cannot be listed.

    Raises:
        InputError: a source does not exist.
        StorageError: the file system cannot tell whether it does.
    """
    for source in sources:
        with storage_errors("read", source):
            is_folder, is_file = source.is_dir(), source.is_file()
        if is_folder:
            yield from _walk(source, on_unreadable)
        elif is_file:
            yield _found(source)
        else:
            found = "a special file" if source.exists() else "nothing"
            raise InputError(f"{source}: expected a file or a folder, found {found}")


def _walk(
    start: Path, on_unreadable: Callable[[Path], None], root: Path | None = None
) -> Iterator[FoundFile]:
    def report(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            on_unreadable(Path(error.filename))

    for folder, folders, names in os.walk(start, onerror=report):
        if (
            CATALOG in names
        ):  # closing a file of an index that is open here would drop SQLite's locks
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not _is_skipped(name))
        for name in sorted(names):
            path = Path(folder) / name
            if not name.startswith(".") and _is_regular(path):
                yield _found(path, root or start)


def _is_reached(root: Path, path: Path) -> bool:
    """Whether a walk of `root` reaches the place of `path`."""
    folder = root
    for part in path.relative_to(root).parts:
        if _is_skipped(part) or (folder / CATALOG).exists() or _is_link(folder, root):
            return False
        folder /= part
    return True


def _is_link(folder: Path, root: Path) -> bool:
    return folder != root and folder.is_symlink()


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _TOOL_FOLDERS


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False
    except OSError:  # it was listed, so it exists: reading it will tell what is wrong
        return True


def _found(path: Path, root: Path | None = None) -> FoundFile:
    below = _printable(path.relative_to(root)) if root is not None else ""
    return FoundFile(path=path, name=_printable(path), below=below)


def _printable(path: Path) -> str:
    # A name that is not UTF-8 cannot be a key; escaped, it can still be recognized.
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
