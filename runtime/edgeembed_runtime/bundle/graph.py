"""Safety checks on the bytes of an ONNX file, before onnxruntime sees them.

Reads only the few fields that matter. Field numbers:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from edgeembed_runtime._internal.protobuf import as_message, read_fields
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


def check_graph(model: bytes, name: str) -> None:
    """Reject an ONNX model that could read outside its own bytes or run native code.

    Args:
        model: the bytes of the ONNX file.
        name: the file's name, for error messages.

    Raises:
        BundleUnsafeError: the model has external data, a local function, an operator from another
            domain, or one that embeds native code.
        BundleCorruptError: the bytes are not an ONNX model.
    """
    try:
        graphs = 0
        for field, value in read_fields(memoryview(model)):
            if field == _MODEL_FUNCTIONS:
                raise BundleUnsafeError(f"{name}: expected no functions, found one; convert again")
            if field == _MODEL_GRAPH:
                graphs += 1
                _check_graph(as_message(value), name, 0)
    except (IndexError, ValueError) as error:
        if isinstance(error, BundleUnsafeError):
            raise
        raise BundleCorruptError(f"{name}: expected an ONNX model, got other bytes") from error
    if graphs != 1:
        raise BundleCorruptError(f"{name}: expected an ONNX model with one graph, found {graphs}")


def _check_graph(graph: memoryview, name: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise BundleUnsafeError(f"{name}: graphs nested deeper than {_MAX_DEPTH}; convert again")
    for field, value in read_fields(graph):
        if field == _GRAPH_NODE:
            _check_node(as_message(value), name, depth)
        elif field == _GRAPH_INITIALIZER:
            _check_tensor(as_message(value), name)
        elif field == _GRAPH_SPARSE_INITIALIZER:
            _check_sparse(as_message(value), name)


def _check_node(node: memoryview, name: str, depth: int) -> None:
    domain = operator = ""
    for field, value in read_fields(node):
        if field == _NODE_DOMAIN:
            domain = str(as_message(value), "utf-8")
        elif field == _NODE_OPERATOR:
            operator = str(as_message(value), "utf-8")
        elif field == _NODE_ATTRIBUTE:
            _check_attribute(as_message(value), name, depth)
    if domain not in ALLOWED_DOMAINS:
        raise BundleUnsafeError(
            f"{name}: operator {operator!r} in domain {domain!r}: expected only the domains "
            "'' and 'com.microsoft'; do not use this bundle"
        )
    if operator in REFUSED_OPERATORS:
        raise BundleUnsafeError(f"{name}: operator {operator!r} embeds native code; do not use it")


def _check_attribute(attribute: memoryview, name: str, depth: int) -> None:
    for field, value in read_fields(attribute):
        if field in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
            _check_tensor(as_message(value), name)
        elif field in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
            _check_graph(as_message(value), name, depth + 1)
        elif field in (_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES):
            _check_sparse(as_message(value), name)


def _check_sparse(sparse: memoryview, name: str) -> None:
    for field, value in read_fields(sparse):
        if field in (_SPARSE_VALUES, _SPARSE_INDICES):
            _check_tensor(as_message(value), name)


def _check_tensor(tensor: memoryview, name: str) -> None:
    for field, value in read_fields(tensor):
        if field == _TENSOR_EXTERNAL or (field == _TENSOR_LOCATION and value != 0):
            raise BundleUnsafeError(
                f"{name}: expected all weights inside the file, found external data; convert again"
            )
