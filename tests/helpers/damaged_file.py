"""Files damaged in the ways that disks, people and attackers damage them."""

import os
from pathlib import Path


def damage_file(file: Path, kind: str, other: Path) -> None:
    """Damage `file`; "swapped" also gives its content to `other`."""
    data = bytearray(file.read_bytes())
    match kind:
        case "shorter":
            file.write_bytes(data[:-4])
        case "longer":
            file.write_bytes(data + bytes(4))
        case "empty":
            file.write_bytes(b"")
        case "flipped":
            data[len(data) // 2] ^= 0x40
            file.write_bytes(data)
        case "missing":
            file.unlink()
        case "link":
            copy = file.with_name("elsewhere")
            file.rename(copy)
            file.symlink_to(copy)
        case "folder":
            file.unlink()
            file.mkdir()
        case "fifo":
            file.unlink()
            os.mkfifo(file)
        case "swapped":
            file.write_bytes(other.read_bytes())
            other.write_bytes(data)
        case _:
            raise ValueError(kind)
