"""Ways in which a file can be damaged."""

import random
from collections.abc import Callable, Sequence

_PAGE = 4096
_SECTOR = 512
_WORDS = (0, 1, 2, 10, 149, 150, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1)


def flipped(data: bytearray, chance: random.Random) -> None:
    """Flip a few bits, anywhere or close together."""
    start = chance.randrange(len(data))
    near = chance.random() < 0.5
    for _ in range(chance.randint(1, 8)):
        at = min(len(data) - 1, start + chance.randrange(64)) if near else None
        data[chance.randrange(len(data)) if at is None else at] ^= 1 << chance.randrange(8)


def one_bit(data: bytearray, chance: random.Random) -> None:
    """Flip one bit."""
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def other_byte(data: bytearray, chance: random.Random) -> None:
    """Change a byte by a little: a count, a length, a key."""
    at = chance.randrange(len(data))
    data[at] = (data[at] + chance.choice((-2, -1, 1, 2))) % 256


def other_word(data: bytearray, chance: random.Random) -> None:
    """Overwrite 32 bits with what looks like a count or a position."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(0, max(1, len(data) - 4), 4 if chance.random() < 0.8 else 1)
        word = chance.choice((*_WORDS, chance.randrange(400), chance.getrandbits(32)))
        data[at : at + 4] = word.to_bytes(4, "little")[: len(data) - at]


def shorter(data: bytearray, chance: random.Random) -> None:
    """Cut the end off, anywhere or at a sector."""
    size = chance.randrange(len(data))
    del data[size if chance.random() < 0.5 else size // _SECTOR * _SECTOR :]


def longer(data: bytearray, chance: random.Random) -> None:
    """Append zeros, noise, or a part of the file."""
    size = chance.randint(1, _PAGE)
    data += chance.choice((bytes(size), chance.randbytes(size), bytes(data[:size])))


def zeroed(data: bytearray, chance: random.Random) -> None:
    """Zero a sector, a page, or some bytes."""
    size = min(len(data), chance.choice((_SECTOR, _PAGE, chance.randint(1, 64))))
    at = chance.randrange(0, len(data), size)
    data[at : at + size] = bytes(len(data[at : at + size]))


def spliced(data: bytearray, chance: random.Random) -> None:
    """Copy a part of the file to another place in it."""
    size = min(len(data), chance.choice((_SECTOR, _PAGE, chance.randint(1, 64))))
    source = chance.randrange(0, len(data) - size + 1)
    target = chance.randrange(0, len(data) - size + 1)
    if chance.random() < 0.5:
        source, target = source // size * size, target // size * size
    data[target : target + size] = data[source : source + size]


KINDS: Sequence[Callable[[bytearray, random.Random], None]] = (
    flipped,
    one_bit,
    one_bit,
    other_byte,
    other_byte,
    other_word,
    other_word,
    shorter,
    longer,
    zeroed,
    spliced,
)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A damaged copy, which may happen to be equal."""
    changed = bytearray(data)
    if changed:
        chance.choice(KINDS)(changed, chance)
    return bytes(changed)
