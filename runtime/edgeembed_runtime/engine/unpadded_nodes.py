"""The nodes that a graph has for texts that are never padded: the same vectors in less memory.

They are kept in the file's metadata, and share its weights. A digest ties them to the nodes that
they replace: whoever edits those need not know of these.
Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import base64
import hashlib

from edgeembed_runtime._internal.protobuf import as_message, field, length_delimited, read_fields

UNPADDED_NODES = "edgeembed.unpadded_nodes"
_MODEL_GRAPH, _MODEL_METADATA, _GRAPH_NODE = 7, 14, 1
_ENTRY_KEY, _ENTRY_VALUE = 1, 2


def described_nodes(model: bytes, graph: bytes) -> str:
    """The metadata's value for an ONNX model: a GraphProto with the nodes, and weights to add."""
    return f"{_digest(memoryview(model))} {base64.b64encode(graph).decode()}"


def with_unpadded_nodes(model: bytes) -> bytes:
    """The model with the nodes that its metadata has for texts without padding, or as it is.

    Raises:
        ValueError, IndexError: the bytes are not an ONNX model, or its metadata is damaged.
    """
    data = memoryview(model)
    described = next(
        (v for key, v in map(_entry, _fields(data, _MODEL_METADATA)) if _is(key)), None
    )
    if described is None:
        return model
    digest, _, encoded = str(described, "ascii").partition(" ")
    if digest != _digest(data):
        return model
    chunks: list[bytes | memoryview] = []
    for number, value in read_fields(data):
        if number == _MODEL_GRAPH:
            graph = _kept(as_message(value))
            graph.append(base64.b64decode(encoded, validate=True))
            chunks += length_delimited(number, graph)
        elif number != _MODEL_METADATA:
            chunks += (
                [field(number, value)]
                if isinstance(value, int)
                else length_delimited(number, [as_message(value)])
            )
    return b"".join(chunks)


def _kept(graph: memoryview) -> list[bytes | memoryview]:
    """Everything of a graph but its nodes."""
    chunks: list[bytes | memoryview] = []
    for number, value in read_fields(graph):
        if number != _GRAPH_NODE:
            chunks += length_delimited(number, [as_message(value)])
    return chunks


def _digest(model: memoryview) -> str:
    nodes = hashlib.sha256()
    for graph in _fields(model, _MODEL_GRAPH):
        for node in _fields(graph, _GRAPH_NODE):
            nodes.update(len(node).to_bytes(8, "little"))
            nodes.update(node)
    return nodes.hexdigest()


def _fields(data: memoryview, wanted: int) -> list[memoryview]:
    return [as_message(value) for number, value in read_fields(data) if number == wanted]


def _entry(data: memoryview) -> tuple[memoryview, memoryview]:
    entry = {number: as_message(value) for number, value in read_fields(data)}
    empty = memoryview(b"")
    return entry.get(_ENTRY_KEY, empty), entry.get(_ENTRY_VALUE, empty)


def _is(key: memoryview) -> bool:
    return bytes(key) == UNPADDED_NODES.encode()
