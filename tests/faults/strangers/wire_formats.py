"""Files that two parsers read differently, or that are no model."""

from faults.strangers.graphs import node, put_bytes
from helpers import tiny_bundle


def _varint(value):
    low = bytearray()
    while value >= 0x80:
        low.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*low, value])


def _field(number, data):
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _evil():
    """A graph with an operator that is refused, as bytes."""
    model = tiny_bundle.graph(tiny_bundle.table())
    model.graph.node.append(node("Loop", ["input_ids"], ["evil"]))
    return model


def high_bits(folder, chance):
    """A tag whose high bits C++ drops: a graph to it, an unknown field to others."""
    model = _evil()
    graph = model.graph.SerializeToString()
    model.ClearField("graph")
    tag = (7 << 3 | 2) | 1 << chance.randint(32, 62)
    put_bytes(folder, model.SerializeToString() + _varint(tag) + _varint(len(graph)) + graph)


def long_varint(folder, chance):
    model = tiny_bundle.graph(tiny_bundle.table())
    graph = model.graph.SerializeToString()
    model.ClearField("graph")
    tag = bytes([(7 << 3 | 2) | 0x80, *[0x80] * chance.randint(0, 8), 0])
    put_bytes(folder, model.SerializeToString() + tag + _varint(len(graph)) + graph)


def two_graphs(folder, _):
    good = tiny_bundle.graph(tiny_bundle.table()).SerializeToString()
    put_bytes(folder, good + _field(7, _evil().graph.SerializeToString()))


def two_operators(folder, chance):
    """A node that says what it is twice: which one counts?"""
    pair = [b"Identity", b"Loop"]
    chance.shuffle(pair)
    data = b"".join(_field(4, each) for each in pair)
    data = _field(1, b"input_ids") + _field(2, b"x") + data
    model = tiny_bundle.graph(tiny_bundle.table())
    graph = model.graph.SerializeToString() + _field(1, data)
    model.ClearField("graph")
    put_bytes(folder, model.SerializeToString() + _field(7, graph))


def own_format(folder, chance):
    """Bytes that onnxruntime takes for its own format, and others for ONNX."""
    data = tiny_bundle.graph(tiny_bundle.table()).SerializeToString()
    put_bytes(folder, b"\x08\x0a\x12\x04ORTM" + data[2:] + chance.randbytes(8))


def nested(folder, chance):
    data = b""
    for _ in range(chance.choice((9, 100, 20_000))):
        data = _field(1, _field(5, _field(6, data)))
    put_bytes(folder, _field(7, data))


def lengths(folder, chance):
    length = chance.choice((2**31 + 5, 2**32, 2**63, 2**64 - 1))
    put_bytes(folder, _varint(7 << 3 | 2) + _varint(length) + b"x" * 50)


def noise(folder, chance):
    size = chance.choice((0, 1, 5000, 400_000))
    put_bytes(folder, chance.choice((b"\0" * size, chance.randbytes(size))))


def mutant(folder, chance):
    data = bytearray(tiny_bundle.graph(tiny_bundle.table()).SerializeToString())
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data))
        data[at] ^= 1 << chance.randrange(8)
    put_bytes(folder, bytes(data))


FILES = [
    high_bits,
    long_varint,
    two_graphs,
    two_operators,
    own_format,
    nested,
    lengths,
    noise,
    mutant,
]
