"""Reports file operations of SQLite, by a VFS in front of SQLite's own.

A VFS is SQLite's door to the operating system. Ours is a copy of the one for Unix whose writes,
truncations, syncs, creations and removals report first and then go on to the real ones, so that
journals and pages can be made to fail, or be recorded, like any other file.
"""

import contextlib
import ctypes as c
import errno
import os
import sys
from collections.abc import Callable, Generator
from ctypes.util import find_library
from functools import cache
from pathlib import Path

from faults.harness.operations import Observer, Operation

_OK, _FULL, _CANTOPEN = 0, 13, 14
_IOERR_WRITE, _IOERR_FSYNC, _IOERR_DIR_FSYNC = 778, 1034, 1290
_IOERR_TRUNCATE, _IOERR_DELETE = 1546, 2570
_OPEN_CREATE, _OPEN_JOURNALS = 0x4, 0x800 | 0x4000

_Open = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_void_p, c.c_int, c.POINTER(c.c_int))
_Delete = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_char_p, c.c_int)
_Write = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_int, c.c_int64)
_Truncate = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int64)
_Sync = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int)


class _Methods(c.Structure):
    """sqlite3_io_methods of sqlite3.h."""

    _fields_ = (
        ("version", c.c_int),
        ("close", c.c_void_p),
        ("read", c.c_void_p),
        ("write", _Write),
        ("truncate", _Truncate),
        ("sync", _Sync),
        ("others", c.c_void_p * 13),
    )


class _Vfs(c.Structure):
    """sqlite3_vfs of sqlite3.h."""

    _fields_ = (
        ("version", c.c_int),
        ("file_bytes", c.c_int),
        ("max_path", c.c_int),
        ("next", c.c_void_p),
        ("name", c.c_char_p),
        ("app_data", c.c_void_p),
        ("open", _Open),
        ("delete", _Delete),
        ("others", c.c_void_p * 14),
    )


@cache
def _library() -> c.CDLL | None:
    """The SQLite that Python uses, if it is a shared library."""
    import _sqlite3

    with contextlib.suppress(OSError, AttributeError):
        for name in (_sqlite3.__file__, find_library("sqlite3")):
            library = c.CDLL(name)
            if hasattr(library, "sqlite3_vfs_find"):
                library.sqlite3_vfs_find.restype = c.POINTER(_Vfs)
                return library
    return None


def can_report() -> bool:
    """Whether SQLite's files can be watched on this machine."""
    return sys.platform == "linux" and _library() is not None


@contextlib.contextmanager
def sqlite_reports(root: Path, observer: Observer) -> Generator[None]:
    """Tell the observer of what SQLite does to files below a folder, and to its temporary files.

    Connections must be opened and closed inside.
    """
    library = _library()
    assert library is not None
    real = library.sqlite3_vfs_find(None)
    ours = _Reporter(real, root, observer)
    library.sqlite3_vfs_register(c.byref(ours.vfs), 1)
    try:
        yield
    finally:
        library.sqlite3_vfs_unregister(c.byref(ours.vfs))
        library.sqlite3_vfs_register(real, 1)


class _Reporter:
    """Our VFS, which keeps every C object alive that SQLite may call."""

    def __init__(self, real, root: Path, observer: Observer) -> None:
        self._real = real
        self._root = root
        self._observer = observer
        self._paths: dict[int, Path] = {}
        self._unsynced_names: set[int] = set()
        self._tables: dict[int, _Methods] = {}
        self.vfs = _Vfs.from_buffer_copy(real.contents)
        self.vfs.name = b"reporting"
        self.vfs.next = None
        self.vfs.open = _Open(self._open)
        self.vfs.delete = _Delete(self._delete)

    def _report(self, operation: Operation, code: int) -> int:
        if not operation.path.is_relative_to(self._root):
            return _OK
        try:
            self._observer(operation)
        except OSError as error:
            return _FULL if error.errno == errno.ENOSPC and code == _IOERR_WRITE else code
        return _OK

    def _open(self, vfs, name, file, flags, out_flags) -> int:
        path = Path(os.fsdecode(c.string_at(name))) if name else self._root / "temporary"
        created = bool(flags & _OPEN_CREATE) and not path.exists()
        if created and (code := self._report(Operation(kind="create", path=path), _CANTOPEN)):
            c.c_void_p.from_address(file).value = None
            return code
        code = self._real.contents.open(vfs, name, file, flags, out_flags)
        if code == _OK:
            methods = c.c_void_p.from_address(file)
            assert methods.value is not None
            methods.value = c.addressof(self._table(methods.value))
            self._paths[file] = path
            self._unsynced_names.discard(file)
            if created and flags & _OPEN_JOURNALS:
                self._unsynced_names.add(file)
        return code

    def _table(self, address: int) -> _Methods:
        """The methods at an address, with ours in front."""
        if address not in self._tables:
            real = _Methods.from_address(address)
            table = _Methods.from_buffer_copy(real)
            table.write = _Write(self._writer(real.write))
            table.truncate = _Truncate(self._truncater(real.truncate))
            table.sync = _Sync(self._sync)
            self._tables[address] = table
        return self._tables[address]

    def _writer(self, real: Callable[..., int]) -> Callable[..., int]:
        def write(file, data, size, offset) -> int:
            operation = Operation(
                kind="write", path=self._paths[file], offset=offset, data=c.string_at(data, size)
            )
            return self._report(operation, _IOERR_WRITE) or real(file, data, size, offset)

        return write

    def _truncater(self, real: Callable[..., int]) -> Callable[..., int]:
        def truncate(file, size) -> int:
            operation = Operation(kind="truncate", path=self._paths[file], offset=size)
            return self._report(operation, _IOERR_TRUNCATE) or real(file, size)

        return truncate

    def _sync(self, file, flags) -> int:
        # The real sync is left out: power cuts are played, so the disk need not be waited for.
        path = self._paths[file]
        code = self._report(Operation(kind="sync", path=path), _IOERR_FSYNC)
        if code == _OK and file in self._unsynced_names:
            # SQLite syncs the folder of a new journal with it, and ignores whether that failed.
            self._unsynced_names.discard(file)
            synced = Operation(kind="sync folder", path=path.parent, unheeded=True)
            self._report(synced, _OK)
        return code

    def _delete(self, vfs, name, sync_folder) -> int:
        path = Path(os.fsdecode(name))
        if path.exists():
            code = self._report(Operation(kind="remove", path=path), _IOERR_DELETE)
            if code:
                return code
        code = self._real.contents.delete(vfs, name, 0)
        if code == _OK and sync_folder:
            synced = Operation(kind="sync folder", path=path.parent)
            code = self._report(synced, _IOERR_DIR_FSYNC)
        return code
