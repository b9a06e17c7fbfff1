"""Reports file operations of Python, by patching os and io."""

import contextlib
import io
import os
from collections.abc import Callable, Generator
from pathlib import Path
from unittest.mock import patch

from faults.harness.operations import Observer, Operation

_REAL_OPEN = io.open
_WRITING = set("wxa+")


@contextlib.contextmanager
def python_reports(root: Path, observer: Observer) -> Generator[None]:
    """Tell the observer of all file operations of Python below a folder."""
    files = _Files(root, observer)
    with contextlib.ExitStack() as stack:
        for name in ("open", "fsync", "rename", "replace", "unlink", "rmdir", "mkdir"):
            stack.enter_context(patch.object(os, name, getattr(files, name)))
        stack.enter_context(patch.object(io, "open", files.open_stream))
        yield


class _Files:
    """Patched functions of os, each calling the real one."""

    def __init__(self, root: Path, observer: Observer) -> None:
        self._root = root
        self._observer = observer
        self._real = {
            name: getattr(os, name)
            for name in ("open", "fsync", "rename", "replace", "unlink", "rmdir", "mkdir")
        }

    def report(self, operation: Operation) -> None:
        if operation.path.is_relative_to(self._root):
            self._observer(operation)

    def open(self, path, flags, mode=0o777, *, dir_fd=None):
        if flags & os.O_CREAT and not os.path.lexists(path):
            self.report(Operation(kind="create", path=_absolute(path, dir_fd)))
        return self._real["open"](path, flags, mode, dir_fd=dir_fd)

    def open_stream(self, file, mode="r", buffering=-1, *args, **kwargs):
        if "b" not in mode or not _WRITING & set(mode) or not buffering:
            return _REAL_OPEN(file, mode, buffering, *args, **kwargs)
        path = _of_descriptor(file) if isinstance(file, int) else _absolute(file)
        if not isinstance(file, int) and not os.path.lexists(file):
            self.report(Operation(kind="create", path=path))
        raw = _ReportedFile(file, mode.replace("b", ""))
        raw.path, raw.report = path, self.report
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)

    def fsync(self, descriptor):
        path = _of_descriptor(descriptor)
        self.report(Operation(kind="sync folder" if path.is_dir() else "sync", path=path))
        # The machine stays up: power cuts are played, so the disk need not be waited for.
        if not path.is_relative_to(self._root):
            self._real["fsync"](descriptor)

    def rename(self, source, target, **kwargs):
        return self._moved("rename", source, target, **kwargs)

    def replace(self, source, target, **kwargs):
        return self._moved("replace", source, target, **kwargs)

    def _moved(self, name, source, target, **kwargs):
        moved = Operation(kind="rename", path=_absolute(source), target=_absolute(target))
        self.report(moved)
        return self._real[name](source, target, **kwargs)

    def unlink(self, path, *, dir_fd=None):
        self._removed(path, dir_fd)
        return self._real["unlink"](path, dir_fd=dir_fd)

    def rmdir(self, path, *, dir_fd=None):
        self._removed(path, dir_fd)
        return self._real["rmdir"](path, dir_fd=dir_fd)

    def _removed(self, path, dir_fd):
        full = _absolute(path, dir_fd)
        if os.path.lexists(full):
            self.report(Operation(kind="remove", path=full))

    def mkdir(self, path, mode=0o777, *, dir_fd=None):
        full = _absolute(path, dir_fd)
        if full.parent.is_dir() and not os.path.lexists(full):
            self.report(Operation(kind="make folder", path=full))
        return self._real["mkdir"](path, mode, dir_fd=dir_fd)


class _ReportedFile(io.FileIO):
    """Reports what is really written, when it leaves Python's buffer."""

    path: Path
    report: Callable[[Operation], None]

    def write(self, data):
        written = bytes(data)
        self.report(Operation(kind="write", path=self.path, offset=self.tell(), data=written))
        return super().write(written)


def _absolute(path, dir_fd=None) -> Path:
    # Not resolve(): a link is removed itself, not what it points to.
    base = Path.cwd() if dir_fd is None else _of_descriptor(dir_fd)
    return base / os.fsdecode(path)


def _of_descriptor(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()
