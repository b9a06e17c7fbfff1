"""Real file systems that are small, so that they are full when a test wants it."""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

SMALL_DISKS = ("tmpfs", "ext4")
DISK_BYTES = 8 << 20
PAGE = 4096
_BALLAST = "ballast"


class SmallDisk:
    """A mounted file system whose free space is chosen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def leave_room(self, pages: int) -> None:
        """Fill the disk up to a number of free pages of 4 kB."""
        self.make_room()
        with (self.folder / _BALLAST).open("wb") as ballast:
            # Twice, because ext4 counts what it has not placed yet by estimate.
            for _ in range(2):
                ctypes.CDLL(None).syncfs(ballast.fileno())
                taken = os.fstat(ballast.fileno()).st_size
                free = shutil.disk_usage(self.folder).free - pages * PAGE
                if free > 0:
                    with contextlib.suppress(OSError):  # ext4 needs blocks for its own lists
                        os.posix_fallocate(ballast.fileno(), taken, free)

    def make_room(self) -> None:
        """Free what leave_room() took."""
        (self.folder / _BALLAST).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """What a test put there."""
        return sorted(
            p.name for p in self.folder.iterdir() if p.name not in (_BALLAST, "lost+found")
        )


@contextlib.contextmanager
def small_disk(folder: Path, kind: str) -> Generator[SmallDisk]:
    """Mount a new file system of 8 MB; the test is skipped where that is not allowed."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs Linux and root")
    folder.mkdir()
    if kind == "tmpfs":
        _run_or_skip("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder)
    else:
        image = folder.with_name(f"{folder.name}.{kind}")
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        _run_or_skip(f"mkfs.{kind}", "-q", "-m", "0", image)  # nothing is kept back for root
        _run_or_skip("mount", "-o", "loop", image, folder)
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: a closed index is mapped until Python has collected it.
        subprocess.run(["umount", "--lazy", folder], check=True)


def _run_or_skip(*command: object) -> None:
    program = str(command[0])
    if not shutil.which(program):
        pytest.skip(f"{program} is not here")
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{program} is not allowed here: {done.stderr.strip()}")
