"""How often libjpeg passes over the pixels of a JPEG, told from the file alone.

A JPEG of several scans, progressive or not, is collected whole before any pixel is made: libjpeg
keeps all coefficients, and each scan is a pass over them, even if it has hardly any bytes.
"""

from typing import IO

_START_OF_SCAN = 0xDA
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers that no length follows.
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))
_BLOCK_BYTES = 1 << 20


def count_scans(stream: IO[bytes]) -> int:
    """Return how many scans are collected before there are pixels; 0: the first scan makes them.

    Those of pictures behind the first one count as well; those of a thumbnail before it do not.
    The stream stays where it is.
    """
    position = stream.tell()
    try:
        stream.seek(0)
        return _count(stream) if _is_collected(stream) else 0
    finally:
        stream.seek(position)


def _is_collected(stream: IO[bytes]) -> bool:
    """Read up to the components of the first scan: all of a frame's, or only some?"""
    components = 0
    while (marker := _next_marker(stream)) is not None:
        if marker in _BARE:
            continue
        length = int.from_bytes(stream.read(2), "big")
        if marker == _START_OF_SCAN:
            return stream.read(1) != bytes([components])
        if marker in _FRAMES:
            frame = stream.read(length - 2) if length > 2 else b""
            whole = marker not in _PROGRESSIVE and len(frame) > 5
            components = frame[5] if whole else 0
        else:
            stream.seek(max(0, length - 2), 1)
    return False  # no scan: there is nothing to decode


def _next_marker(stream: IO[bytes]) -> int | None:
    """Skip to the next marker, as libjpeg does; None at the end of the file."""
    before = b""
    while byte := stream.read(1):
        if before == b"\xff" and byte not in (b"\0", b"\xff"):
            return byte[0]
        before = byte
    return None


def _count(stream: IO[bytes]) -> int:
    """Count scans from here on; the bytes of a marker never occur in what was entropy-coded."""
    scans, before = 1, b""
    while block := stream.read(_BLOCK_BYTES):
        scans += (before + block).count(b"\xff\xda")
        before = block[-1:]
    return scans
