"""Safety checks on the bytes of an ONNX file, before onnxruntime sees them."""

from collections.abc import Iterator, Mapping

from edgeembed_runtime.bundle.graph.call import Shape
from edgeembed_runtime.bundle.graph.reading import (
    Graph,
    GraphCountError,
    GraphError,
    Tensor,
    read_graph,
)
from edgeembed_runtime.bundle.graph.sizes import KNOWN_OPERATORS, Sizes, sizes_of
from edgeembed_runtime.errors import BundleCorruptError, BundleUnsafeError

MICROSOFT = "com.microsoft"
# What the converters and onnxruntime's quantizer make of it; each operator more is more code of
# onnxruntime's that hostile shapes can reach.
_MICROSOFT = """
BiasGelu FastGelu FusedMatMul GatherBlockQuantized Gelu MatMulNBits MultiHeadAttention QAttention
QLinearAdd QLinearLeakyRelu QLinearMul QLinearSigmoid QLinearSoftmax QuickGelu
SkipLayerNormalization
"""
MICROSOFT_OPERATORS = frozenset(_MICROSOFT.split())
_MB = 1 << 20
# Graphs of encoders have up to a few thousand nodes, which onnxruntime's optimizers take longer
# over the more there are.
_MAX_NODES, _FEW_NODES, _BYTES_PER_NODE = 20_000, 4_000, 1_000
_MAX_NAMES = 200_000
# What a run of the first length may take, beside the weights: so many bytes and multiplications,
# and so many more for each byte of the file. Real encoders stay far below: the table of tokens
# alone has more bytes than its rows for a text.
_RUN_BYTES, _RUN_BYTES_PER_BYTE = 96 * _MB, 32
_RUN_WORK, _RUN_WORK_PER_BYTE = 3 * 10**9, 4_000
# What onnxruntime may compute at load: a table that is stored as int8 or int4 becomes float32.
_LOAD_BYTES, _LOAD_BYTES_PER_BYTE = 32 * _MB, 16
_LOAD_WORK, _LOAD_WORK_PER_BYTE = 5 * 10**8, 512


def check_graph(model: bytes, name: str) -> Graph:
    """Read an ONNX model; reject one that could reach outside its own bytes or run without end.

    Args:
        model: the bytes of the ONNX file.
        name: the file's name, for error messages.

    Raises:
        BundleUnsafeError: the model has external data, a function, a graph inside of a node, or an
            operator that no converter makes.
        BundleCorruptError: the bytes are not an ONNX model.
    """
    try:
        graph = read_graph(model)
    except GraphError as error:
        raise BundleUnsafeError(f"{name}: {error}") from error
    except GraphCountError as error:
        raise BundleCorruptError(f"{name}: {error}") from error
    except (IndexError, ValueError) as error:
        raise BundleCorruptError(f"{name}: expected an ONNX model, got other bytes") from error
    tensors = (*graph.constants.values(), *_constants_in_nodes(graph))
    if any(tensor.external for tensor in tensors):
        raise BundleUnsafeError(
            f"{name}: expected all weights inside the file, found external data; convert again"
        )
    for node in graph.nodes:
        if node.domain not in ("", MICROSOFT):
            raise BundleUnsafeError(
                f"{name}: operator {node.operator!r:.80} in domain {node.domain!r:.80}: expected "
                "only the domains '' and 'com.microsoft'; do not use this bundle"
            )
        allowed = MICROSOFT_OPERATORS if node.domain else KNOWN_OPERATORS
        if node.operator not in allowed:
            raise BundleUnsafeError(
                f"{name}: operator {node.operator!r:.80}: expected one that encoders need, whose "
                "memory and time have a bound; convert the model again, and if it is yours and "
                "needs this operator, please report it"
            )
    _check_order(graph, name)
    names = sum(len(node.inputs) + len(node.outputs) for node in graph.nodes)
    most = min(_MAX_NODES, _FEW_NODES + graph.nbytes // _BYTES_PER_NODE)
    constants = len(graph.constants) + len(graph.inputs) + len(graph.outputs)
    if len(graph.nodes) > most or constants > 2 * most or names > _MAX_NAMES:
        raise BundleUnsafeError(
            f"{name}: expected at most {most} nodes, {2 * most} constants and {_MAX_NAMES} names, "
            f"found {len(graph.nodes)}, {constants} and {names}; do not use this bundle"
        )
    return graph


def _check_order(graph: Graph, name: str) -> None:
    known = {*graph.inputs, *graph.constants, ""}
    for node in graph.nodes:
        if not known.issuperset(node.inputs):
            raise BundleUnsafeError(
                f"{name}: operator {node.operator!r:.80}: expected what it needs before it; "
                "convert again"
            )
        for output in node.outputs:
            if output and output in known:
                raise BundleUnsafeError(
                    f"{name}: expected one value {output!r:.80}, found two; convert again"
                )
            known.add(output)
    if not known.issuperset(graph.outputs):
        raise BundleUnsafeError(f"{name}: an output is not computed; convert again")


def _constants_in_nodes(graph: Graph) -> Iterator[Tensor]:
    for node in graph.nodes:
        for value in node.attributes.values():
            if isinstance(value, Tensor):
                yield value


def check_sizes(graph: Graph, inputs: Mapping[str, Shape], name: str) -> Sizes:
    """Reject a graph that would take far more memory or time than a graph of its size needs.

    Args:
        graph: the graph.
        inputs: the shapes of its inputs.
        name: the file's name, for error messages.

    Raises:
        BundleUnsafeError: it would, or a size has no bound.
    """
    try:
        sizes = sizes_of(graph, inputs)
    except GraphError as error:
        raise BundleUnsafeError(f"{name}: {error}; do not use this bundle") from error
    for what, found, limit in (
        ("bytes at load", sizes.folded, _LOAD_BYTES + _LOAD_BYTES_PER_BYTE * graph.nbytes),
        ("operations at load", sizes.folded_work, _LOAD_WORK + _LOAD_WORK_PER_BYTE * graph.nbytes),
        ("bytes in a run", sizes.peak, _RUN_BYTES + _RUN_BYTES_PER_BYTE * graph.nbytes),
        ("operations in a run", sizes.work, _RUN_WORK + _RUN_WORK_PER_BYTE * graph.nbytes),
    ):
        if found > limit:
            shown = ", ".join(f"{key} {shape}" for key, shape in inputs.items())
            raise BundleUnsafeError(
                f"{name}: expected at most {limit:,} {what} of a graph of {graph.nbytes:,} bytes, "
                f"with {shown}, found {found:,}; do not use this bundle"
            )
    return sizes
