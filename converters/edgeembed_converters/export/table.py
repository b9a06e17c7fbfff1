"""A table of vectors as a graph: look up rows, take their weighted mean, maybe normalize."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgeembed_converters.export.torch import OPSET
from edgeembed_converters.graph.cleanup import AXES, PRODUCER
from edgeembed_converters.graph.weights import fits
from edgeembed_converters.quantization.integer.embedding_rows import rows_with_scales
from edgeembed_runtime.bundle.signature import ATTENTION_MASK, EMBEDDING, INPUT_IDS, TEXT_INPUTS

Rows = Literal["fp32", "fp16", "int8"]
ROWS: tuple[Rows, ...] = get_args(Rows)
_BYTES: dict[Rows, int] = {"fp32": 4, "fp16": 2, "int8": 1}
# Avoids division by zero for a vector of zeros.
_TINY = 1e-12


def table_fits(shape: tuple[int, int], rows: Rows) -> bool:
    """Whether a table of this shape fits into one ONNX file."""
    scales = 4 if rows == "int8" else 0
    return fits(shape[0] * (shape[1] * _BYTES[rows] + scales))


def table_graph(
    table: NDArray[np.float32], rows: Rows, *, normalize: bool, uncounted: Sequence[int] = ()
) -> bytes:
    """An ONNX model from ids and weights, (n, t) int64 each, to weighted means: (n, d) float32.

    The weights are the input attention_mask: 0 for padding, 1 for tokens, or other weights.

    Args:
        table: (ids, d) float32.
        rows: how it is stored: in float32, float16, or int8 with a scale per row.
        normalize: to unit length; a vector of zeros stays zero.
        uncounted: ids that are left out of the mean, which is zeros without any others; their rows
            must be zeros.
    """
    lookup, tensors = _lookup(table, rows)
    share = "share" if rows != "int8" else "plain_share"
    nodes = [
        *lookup,
        *_weights(uncounted),
        helper.make_node("Div", ["weights", "total"], [share]),
        # Scales, like shares, belong to rows: one product per row instead of one per number.
        *([helper.make_node("Mul", [share, "scale"], ["share"])] if rows == "int8" else []),
        helper.make_node("Unsqueeze", ["share", "one"], ["share_row"]),
        helper.make_node("MatMul", ["share_row", "vectors"], ["mean_row"]),
        helper.make_node("Squeeze", ["mean_row", "one"], ["mean" if normalize else EMBEDDING]),
        *(_unit_length() if normalize else []),
    ]
    tensors.append(numpy_helper.from_array(np.array([1], np.int64), "one"))
    if uncounted:
        counts = np.ones(len(table), np.float32)
        counts[list(uncounted)] = 0
        tensors.append(numpy_helper.from_array(counts, "counts"))
    tensors.append(numpy_helper.from_array(np.array(_TINY, np.float32), "tiny"))
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        PRODUCER,
        [value(name, TensorProto.INT64, list(AXES)) for name in TEXT_INPUTS],
        [value(EMBEDDING, TensorProto.FLOAT, [AXES[0], table.shape[1]])],
        tensors,
    )
    model = helper.make_model(
        graph,
        producer_name=PRODUCER,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=10,
    )
    return model.SerializeToString(deterministic=True)


def _lookup(
    table: NDArray[np.float32], rows: Rows
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes that compute "vectors", (n, t, d), and for int8 "scale", (n, t)."""
    if rows == "fp32":
        stored = [numpy_helper.from_array(table, "table")]
        return [helper.make_node("Gather", ["table", INPUT_IDS], ["vectors"])], stored
    nodes = [
        helper.make_node("Gather", ["table", INPUT_IDS], ["stored"]),
        helper.make_node("Cast", ["stored"], ["vectors"], to=TensorProto.FLOAT),
    ]
    if rows == "fp16":
        return nodes, [numpy_helper.from_array(table.astype(np.float16), "table")]
    levels, scales = rows_with_scales(table)
    nodes.append(helper.make_node("Gather", ["scales", INPUT_IDS], ["scale"]))
    return nodes, [
        numpy_helper.from_array(levels, "table"),
        numpy_helper.from_array(scales[:, 0], "scales"),
    ]


def _weights(uncounted: Sequence[int]) -> list[onnx.NodeProto]:
    """Nodes that compute "weights", (n, t), and their "total", (n, 1)."""
    if not uncounted:
        return [
            helper.make_node("Cast", [ATTENTION_MASK], ["weights"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["weights", "one"], ["total"], keepdims=1),
        ]
    return [
        helper.make_node("Cast", [ATTENTION_MASK], ["given"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["counts", INPUT_IDS], ["counted"]),
        helper.make_node("Mul", ["given", "counted"], ["weights"]),
        helper.make_node("ReduceSum", ["weights", "one"], ["sum"], keepdims=1),
        helper.make_node("Max", ["sum", "tiny"], ["total"]),
    ]


def _unit_length() -> list[onnx.NodeProto]:
    return [
        helper.make_node("ReduceL2", ["mean", "one"], ["length"], keepdims=1),
        helper.make_node("Max", ["length", "tiny"], ["divisor"]),
        helper.make_node("Div", ["mean", "divisor"], [EMBEDDING]),
    ]
