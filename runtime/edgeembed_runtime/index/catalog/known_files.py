"""Notices that a path leads to another file than it did before."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class KnownFile:
    """A path and which file it led to, which is told by its numbers in the file system.

    They are not given to another file as long as this one is open somewhere.
    """

    path: str
    device: int
    number: int

    @classmethod
    def at(cls, path: Path) -> "KnownFile":
        """The file, folder or link that is there now.

        Raises:
            OSError: nothing is there.
        """
        found = os.lstat(path)
        return cls(os.fspath(path), found.st_dev, found.st_ino)

    def is_there(self) -> bool:
        """Whether the path still leads to it; takes a microsecond."""
        try:
            found = os.lstat(self.path)
        except OSError:
            return False
        return found.st_ino == self.number and found.st_dev == self.device
