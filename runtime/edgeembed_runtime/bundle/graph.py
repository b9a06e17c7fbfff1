"""What an ONNX file may hold, checked on its bytes before onnxruntime sees it.

The onnx package is a converter's tool; the runtime walks the protobuf wire format itself and looks
only at the few fields that matter. Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
Wire format: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator

from edgeembed_runtime.errors import BundleCorruptError, BundleUnsafeError

ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
# Nodes that embed native code for one device.
REFUSED_OPERATORS = frozenset({"EPContext", "PyOp"})
_MAX_DEPTH = 8

_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE_INITIALIZER = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES = 22, 23
_SPARSE_VALUES, _SPARSE_INDICES = 1, 2
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14

Field = tuple[int, int | memoryview]


def check_graph(model: bytes, name: str) -> None:
    """Refuse an ONNX model that could reach outside its own bytes or run foreign code.

    Args:
        model: the ONNX file's bytes.
        name: the file's name, for messages.

    Raises:
        BundleUnsafeError: external data, an operator of a foreign domain, a local function, or
            an operator that embeds native code.
        BundleCorruptError: the bytes are not an ONNX model.
    """
    try:
        graphs = 0
        for field, value in _fields(memoryview(model)):
            if field == _MODEL_FUNCTIONS:
                raise BundleUnsafeError(f"{name}: expected no functions, found one; convert again")
            if field == _MODEL_GRAPH:
                graphs += 1
                _check_graph(_message(value), name, 0)
    except (IndexError, ValueError) as error:
        if isinstance(error, BundleUnsafeError):
            raise
        raise BundleCorruptError(
            f"{name}: expected an ONNX model, got bytes that are none"
        ) from error
    if graphs != 1:
        raise BundleCorruptError(f"{name}: expected an ONNX model with one graph, found {graphs}")


def _check_graph(graph: memoryview, name: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise BundleUnsafeError(f"{name}: graphs nested deeper than {_MAX_DEPTH}; convert again")
    for field, value in _fields(graph):
        if field == _GRAPH_NODE:
            _check_node(_message(value), name, depth)
        elif field == _GRAPH_INITIALIZER:
            _check_tensor(_message(value), name)
        elif field == _GRAPH_SPARSE_INITIALIZER:
            _check_sparse(_message(value), name)


def _check_node(node: memoryview, name: str, depth: int) -> None:
    domain = operator = ""
    for field, value in _fields(node):
        if field == _NODE_DOMAIN:
            domain = str(_message(value), "utf-8")
        elif field == _NODE_OPERATOR:
            operator = str(_message(value), "utf-8")
        elif field == _NODE_ATTRIBUTE:
            _check_attribute(_message(value), name, depth)
    if domain not in ALLOWED_DOMAINS:
        raise BundleUnsafeError(
            f"{name}: operator {operator!r} of domain {domain!r}: expected only the domains "
            "'' and 'com.microsoft'; do not use this bundle"
        )
    if operator in REFUSED_OPERATORS:
        raise BundleUnsafeError(f"{name}: operator {operator!r} embeds native code; do not use it")


def _check_attribute(attribute: memoryview, name: str, depth: int) -> None:
    for field, value in _fields(attribute):
        if field in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
            _check_tensor(_message(value), name)
        elif field in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
            _check_graph(_message(value), name, depth + 1)
        elif field in (_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES):
            _check_sparse(_message(value), name)


def _check_sparse(sparse: memoryview, name: str) -> None:
    for field, value in _fields(sparse):
        if field in (_SPARSE_VALUES, _SPARSE_INDICES):
            _check_tensor(_message(value), name)


def _check_tensor(tensor: memoryview, name: str) -> None:
    for field, value in _fields(tensor):
        if field == _TENSOR_EXTERNAL or (field == _TENSOR_LOCATION and value != 0):
            raise BundleUnsafeError(
                f"{name}: expected all weights inside the file, found external data; convert again"
            )


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("expected a length-delimited field")
    return value


def _fields(data: memoryview) -> Iterator[Field]:
    """Yield (field number, value) of one message; ValueError or IndexError if it is none."""
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        value: int | memoryview = 0
        if wire == 0:
            value, position = _varint(data, position)
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        elif wire == 2:
            length, start = _varint(data, position)
            position = start + length
            value = data[start:position]
        else:
            raise ValueError(f"wire type {wire}")
        if number == 0 or position > end:
            raise ValueError("a field ends outside its message")
        yield number, value


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        result |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return result, position
        shift += 7
        if shift > 63:
            raise ValueError("varint longer than ten bytes")
