"""Changes that leave most of an input sound: of JSON, protobuf, SQLite, and any bytes."""

import copy
import json
import random
from typing import Any

from faults.harness.mutations import damaged

_PAGE = 4096
_DEEP = 100_000
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, 1e308, 1e-320),
    *(
        float("nan"),
        float("inf"),
        "",
        "a",
        "\0",
        "\ud800",
        "../../x",
        "/etc/passwd",
        "\x1b[2J",
        "🙂",
    ),
    *("x" * 5000, [], {}, [[]], [None], {"": None}, {"$and": []}, [1] * 300),
)
_VARINTS = (b"\x00", b"\x01", b"\x7f", b"\xff\xff\xff\xff\x0f", b"\xff" * 9 + b"\x01", b"\x80" * 12)


def mutated(data: bytes, chance: random.Random, limit: int) -> bytes:
    """A changed copy of at most so many bytes; the same for the same random state."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        data = _once(data, chance)
    return data[:limit]


def _once(data: bytes, chance: random.Random) -> bytes:
    kind = chance.random()
    if data.startswith(b"SQLite format 3") and kind < 0.5:
        return _other_page(data, chance)
    if data.lstrip()[:1] in (b"{", b"[") and kind < 0.8:
        return _other_json(data, chance)
    if kind < 0.1:
        return _other_varint(data, chance)
    return damaged(data, chance)


def _other_json(data: bytes, chance: random.Random) -> bytes:
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return damaged(data, chance)
    if chance.random() < 0.02:
        return data.replace(b'"', b"[" * _DEEP + b'"', 1) if chance.random() < 0.5 else b"[" * _DEEP
    root = [tree]
    places = [(root, 0), *_places(tree)]
    parent, key = chance.choice(places)
    kind = chance.randrange(5)
    if kind == 0 and parent is not root:
        del parent[key]
    elif kind == 1:
        other, name = chance.choice(places)
        parent[key] = copy.deepcopy(other[name])
    elif kind == 2 and isinstance(parent, dict):
        parent[chance.choice((*parent, *map(str, _VALUES)))] = chance.choice(_VALUES)
    elif kind == 3 and type(parent[key]) is int:
        parent[key] += chance.choice((-1, 1, 2**32))
    else:
        parent[key] = chance.choice(_VALUES)
    return json.dumps(root[0]).encode()


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    rest = [tree]
    while rest and len(found) < 5000:
        node = rest.pop()
        keys = (
            node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        )
        for key in keys:
            found.append((node, key))
            rest.append(node[key])
    return found


def _other_varint(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(_VARINTS) + data[at + chance.randrange(2) :]


def _other_page(data: bytes, chance: random.Random) -> bytes:
    """Change a page's header, a cell, or text; or put a page in another's place."""
    pages = max(1, len(data) // _PAGE)
    start = chance.randrange(pages) * _PAGE
    changed = bytearray(data)
    match chance.randrange(4):
        case 0:  # the file's header
            at = chance.randrange(16, 100)
        case 1:  # a page's header, and its pointers to cells
            at = start + (100 if start == 0 else 0) + chance.randrange(40)
        case 2:
            other = chance.randrange(pages) * _PAGE
            changed[start : start + _PAGE] = data[other : other + _PAGE]
            return bytes(changed)
        case _:
            at = start + chance.randrange(_PAGE)
    at = min(at, len(changed) - 1)
    changed[at] = chance.choice(
        (0, 1, 2, 5, 10, 13, 127, 128, 255, changed[at] ^ 1, chance.randrange(256))
    )
    return bytes(changed)
