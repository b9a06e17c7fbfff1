"""A disk that may lose unsynced changes: what a power cut can leave behind.

It holds files and folders as they are after every operation that was reported, and apart from that
what of them is durable. A file's writes are durable after a sync of the file, the names in a folder
after a sync of the folder; until then each may be lost or not, by itself, and the last write may
have happened in part.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from faults.harness.operations import Operation

T = TypeVar("T")
Choose = Callable[[list[T]], list[T]]
"""Which of some unsynced changes reached the disk, in their order."""
_SECTOR = 512


@dataclass
class File:
    """Durable bytes, and writes (offset, data) and truncations (size, None) not yet synced."""

    durable: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def after(self, changes: list[tuple[int, bytes | None]]) -> bytes:
        held = bytearray(self.durable)
        for offset, data in changes:
            if data is None:
                del held[offset:]
                continue
            held.extend(bytes(max(0, offset - len(held))))
            held[offset : offset + len(data)] = data
        return bytes(held)

    def sync(self) -> None:
        self.durable = self.after(self.pending)
        self.pending = []


@dataclass
class Folder:
    """Durable names, and changes of names not yet synced (None: removed)."""

    durable: dict[str, "File | Folder"] = field(default_factory=dict)
    pending: list[dict[str, "File | Folder | None"]] = field(default_factory=list)

    def after(self, changes: list[dict[str, "File | Folder | None"]]) -> dict[str, "File | Folder"]:
        held: dict[str, File | Folder | None] = dict(self.durable)
        for change in changes:
            held.update(change)
        return {name: node for name, node in held.items() if node is not None}

    def sync(self) -> None:
        self.durable = self.after(self.pending)
        self.pending = []


class LosingDisk:
    """An observer that keeps what a power cut could leave of a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._top = Folder()

    def __call__(self, operation: Operation) -> None:
        path = operation.path
        if path.name == "temporary":
            return
        match operation.kind:
            case "create":
                self._name(path, File())
            case "make folder":
                self._name(path, Folder())
            case "remove":
                self._name(path, None)
            case "rename":
                self._rename(path, operation.target)
            case "write":
                self._file(path).pending.append((operation.offset, operation.data))
            case "truncate":
                self._file(path).pending.append((operation.offset, None))
            case "sync":
                self._synced(path)
            case "sync folder":
                self._node(path).sync()

    def survivors(self, target: Path, chance: random.Random | None, *, lose: bool) -> None:
        """Lay out in a new folder what a power cut now could leave.

        Args:
            target: the folder to make.
            chance: chooses what of the unsynced changes is lost; None for all or nothing.
            lose: then, whether all of it is lost.
        """
        _lay_out(self._top, target, _chooser(chance, lose=lose), chance)

    def _name(self, path: Path, node: File | Folder | None) -> None:
        self._folder(path.parent).pending.append({path.name: node})

    def _rename(self, source: Path, target: Path | None) -> None:
        assert target is not None
        assert source.parent == target.parent
        moved: dict[str, File | Folder | None] = {
            target.name: self._node(source),
            source.name: None,
        }
        self._folder(source.parent).pending.append(moved)

    def _synced(self, path: Path) -> None:
        try:
            file = self._file(path)
        except KeyError:  # written by a library, which reports nothing
            file = File()
            self._name(path, file)
        if not file.pending and not file.durable:
            file.pending.append((0, path.read_bytes()))
        file.sync()

    def _file(self, path: Path) -> File:
        node = self._node(path)
        assert isinstance(node, File)
        return node

    def _folder(self, path: Path) -> Folder:
        node = self._node(path)
        assert isinstance(node, Folder)
        return node

    def _node(self, path: Path) -> File | Folder:
        node: File | Folder = self._top
        for part in path.relative_to(self._root).parts:
            assert isinstance(node, Folder)
            node = node.after(node.pending)[part]
        return node


def _chooser(chance: random.Random | None, *, lose: bool) -> Choose:
    if chance is None:
        return lambda changes: [] if lose else changes
    # Each state has its own rate, so that nearly all and nearly nothing occur as well as half.
    rate = chance.random()
    return lambda changes: [change for change in changes if chance.random() < rate]


def _lay_out(folder: Folder, target: Path, choose: Choose, chance: random.Random | None) -> None:
    target.mkdir(parents=True)
    for name, node in folder.after(choose(folder.pending)).items():
        if isinstance(node, Folder):
            _lay_out(node, target / name, choose, chance)
        else:
            changes = choose(node.pending)
            (target / name).write_bytes(node.after(_torn(changes, chance)))


def _torn(changes, chance: random.Random | None):
    """The changes, the last write perhaps in part: whole sectors, as SQLite expects of a disk."""
    if chance is None or not changes or changes[-1][1] is None or chance.random() < 0.5:
        return changes
    offset, data = changes[-1]
    return [*changes[:-1], (offset, data[: chance.randrange(len(data) + 1) // _SECTOR * _SECTOR])]
