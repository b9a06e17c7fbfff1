"""Walks folders: every file in them is either found or left out, and then with the reason."""

import contextlib
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgeembed.ingest.discover.found import (
    Failure,
    FoundFile,
    LeftOut,
    place_of_file,
    printable_name,
    unlisted,
)
from edgeembed.ingest.discover.rules import RULES_FILE, Rules, WalkSettings
from edgeembed.ingest.readers.base.protocol import Reason
from edgeembed_runtime.index.base.layout import CATALOG

# Folders that tools fill, which are not what people mean by "my files".
_TOOL_FOLDERS = frozenset({
    *(".git", ".hg", ".svn", ".venv", "venv", "site-packages", "__pycache__", "node_modules"),
    *(".ipynb_checkpoints", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".tox"),
    "target",
})  # fmt: skip
# Files that programs leave beside others, hidden where a file system can say so.
_LEFT_BEHIND = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
_LOCK = "~$"  # Office, while a document is open
_BUNDLE = "edgeembed.json"
_TO_TAKE = f"to take it, name it, or write !{{name}} in {RULES_FILE}"
_Identity = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class _Reached:
    """A folder or file: its path, its place, its path below the walked one, the rules there."""

    path: Path
    place: str
    inner: str
    rules: Rules


@dataclass
class Walk:
    """Walks of one scan, which share what was seen: nothing is found twice through links.

    Attributes:
        settings: what is taken.
        left_out: see FoundFiles; grows with each walk.
        unreadable: see FoundFiles.
        problems: rules that have no meaning.
    """

    settings: WalkSettings
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])
    unreadable: list[Failure] = field(default_factory=list[Failure])
    problems: list[Failure] = field(default_factory=list[Failure])
    _is_behind: bool = False
    _seen: set[_Identity] = field(default_factory=set[_Identity])
    _links: deque[tuple[Path, _Reached]] = field(default_factory=deque[tuple[Path, _Reached]])

    def below(self, root: Path) -> Iterator[FoundFile]:
        """Yield the files of a folder and of all in it, in a stable order; links come at the end.

        The folder itself is taken whatever its name.
        """
        place = os.path.realpath(root)
        yield from self._walk(
            _Reached(path=root, place=place, inner="", rules=Rules.outermost(self.settings))
        )

    def at(self, root: Path, path: Path) -> Iterator[FoundFile] | None:
        """What below(root) yields of what is at `path` or in it; None if it does not go there.

        Raises:
            OSError: nobody can tell what is there; FileNotFoundError if nothing is.
        """
        place = os.path.realpath(root)
        folder = _Reached(path=root, place=place, inner="", rules=Rules.outermost(self.settings))
        if path == root:
            return self._walk(folder)
        *above, last = path.relative_to(root).parts
        for part in above:
            inside = self._opened(folder)
            child = inside and self._child(inside, part, is_folder=True)
            if child is None or child.path.is_symlink():
                return None
            folder = child
        inside = self._opened(folder)
        if inside is None:
            return None
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if self._child(inside, last, is_folder=False) is None:
                return None
            raise
        if stat.S_ISDIR(mode):
            child = self._child(inside, last, is_folder=True)
            return None if child is None else self._walk(child)
        if stat.S_ISREG(mode):
            child = self._child(inside, last, is_folder=False)
            return None if child is None else self._found(child)
        return self._file(inside, last, mode)

    def links(self) -> Iterator[FoundFile]:
        """Yield what the links lead to that were met so far, and that was not found elsewhere."""
        self._is_behind = True
        while self._links:
            path, folder = self._links.popleft()
            yield from self._behind(path, folder)

    def _walk(self, start: _Reached) -> Iterator[FoundFile]:
        waiting = [start]
        while waiting:
            folder = waiting.pop()
            inside = self._opened(folder)
            if inside is None:
                continue
            try:
                with os.scandir(folder.path) as listed:
                    entries = sorted(listed, key=lambda entry: entry.name)
                if not self._is_new(folder.path, folder.place, folder.path.stat()):
                    continue
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self.unreadable.append(unlisted(folder.place, error))
                continue
            folders: list[_Reached] = []
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    child = self._child(inside, entry.name, is_folder=True)
                    folders += [] if child is None else [child]
                else:
                    yield from self._file(inside, entry.name, _mode(entry))
            waiting += reversed(folders)

    def _opened(self, folder: _Reached) -> _Reached | None:
        """The folder with its own rules; None if it is none of the user's, or cannot be used."""
        made = {CATALOG: "an index", _BUNDLE: "a bundle"}
        for name, kind in made.items():
            # Not opened: closing a file of an index that is open here would drop SQLite's locks.
            if os.path.lexists(folder.path / name):
                self._leave_out(folder.path, folder.place, Reason.OWN_OUTPUT, kind, is_folder=True)
                return None

        def tell(message: str) -> None:
            self.problems.append(Failure(place=folder.place, message=message))

        try:
            rules = folder.rules.inside(folder.path, folder.inner, tell)
        except OSError as error:
            message = f"could not read the rules in {error.filename}: {error.strerror}"
            self.unreadable.append(Failure(place=folder.place, message=message))
            return None
        return _Reached(path=folder.path, place=folder.place, inner=folder.inner, rules=rules)

    def _child(self, folder: _Reached, name: str, *, is_folder: bool) -> _Reached | None:
        """What is in a folder as a folder to walk or a file to find; None if it is left out."""
        path, inner = folder.path / name, f"{folder.inner}{name}{'/' if is_folder else ''}"
        place = os.path.join(folder.place, name)  # noqa: PTH118
        verdict = folder.rules.verdict(inner)
        reason: Reason | None = None
        detail = ""
        if verdict == "left out" or (not is_folder and not folder.rules.is_chosen(inner)):
            reason = Reason.RULE
        elif verdict is None and is_folder and name in _TOOL_FOLDERS:
            reason, detail = Reason.TOOL_FOLDER, _TO_TAKE.format(name=f"{name}/")
        elif verdict is None and _is_hidden(name) and not self.settings.hidden:
            reason = Reason.HIDDEN
        elif name == RULES_FILE:
            reason = Reason.RULE
        if reason is not None:
            self._leave_out(path, place, reason, detail, is_folder=is_folder)
            return None
        return _Reached(path=path, place=place, inner=inner, rules=folder.rules)

    def _file(self, folder: _Reached, name: str, mode: int) -> Iterator[FoundFile]:
        """What is in a folder and no folder itself."""
        if stat.S_ISLNK(mode) and not self.settings.follow_links:
            # What is hidden or ruled out says so: that it is a link, too, is no news.
            link = self._child(folder, name, is_folder=False)
            if link is not None:
                self._leave_out(link.path, link.place, Reason.LINK, "to take it: --follow-links")
        elif stat.S_ISLNK(mode):
            self._links.append((folder.path / name, folder))
        elif not stat.S_ISREG(mode):
            place = os.path.join(folder.place, name)  # noqa: PTH118
            self._leave_out(folder.path / name, place, Reason.SPECIAL, _kind(mode))
        elif found := self._child(folder, name, is_folder=False):
            yield from self._found(found)

    def _found(self, found: _Reached) -> Iterator[FoundFile]:
        if self.settings.follow_links:
            with contextlib.suppress(OSError):  # reading it will tell what is wrong
                if not self._is_new(found.path, found.place, found.path.stat()):
                    return
        name, below = printable_name(found.path), printable_name(found.inner)
        yield FoundFile(path=found.path, name=name, below=below, place=found.place)

    def _behind(self, path: Path, folder: _Reached) -> Iterator[FoundFile]:
        """What a link leads to."""
        place = os.path.join(folder.place, path.name)  # noqa: PTH118
        try:
            status = path.stat()
        except OSError as error:
            self._leave_out(path, place, Reason.LINK, f"leads nowhere: {error.strerror}")
            return
        is_folder = stat.S_ISDIR(status.st_mode)
        if not is_folder and not stat.S_ISREG(status.st_mode):
            self._leave_out(path, place, Reason.SPECIAL, _kind(status.st_mode))
            return
        child = self._child(folder, path.name, is_folder=is_folder)
        if child is None:
            return
        yield from self._walk(child) if is_folder else self._found(child)

    def _is_new(self, path: Path, place: str, status: os.stat_result) -> bool:
        """Whether this was not seen before; behind a link, what was is left out."""
        identity, is_folder = (status.st_dev, status.st_ino), stat.S_ISDIR(status.st_mode)
        # Hard links are files of their own.
        is_again = identity in self._seen and (is_folder or status.st_nlink == 1)
        self._seen.add(identity)
        if is_again and self._is_behind:
            taken = "to what is taken already"
            self._leave_out(path, place, Reason.LINK, taken, is_folder=is_folder)
            return False
        return True

    def _leave_out(
        self, path: Path, place: str, reason: Reason, detail: str = "", *, is_folder: bool = False
    ) -> None:
        name = printable_name(path) + ("/" if is_folder else "")
        left = LeftOut(name=name, reason=reason, place=place, detail=detail)
        self.left_out.append(left)


def named_file(path: Path) -> FoundFile:
    """A file that is taken because it was named, whatever the rules."""
    return FoundFile(path=path, name=printable_name(path), place=place_of_file(path))


def _mode(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG
    try:
        return entry.stat(follow_symlinks=False).st_mode
    except OSError:  # it was listed, so it exists: reading it will tell what is wrong
        return stat.S_IFREG


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _is_hidden(name: str) -> bool:
    return name.startswith((".", _LOCK)) or name.lower() in _LEFT_BEHIND
