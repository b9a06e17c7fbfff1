"""A dry run of a graph: how much memory and work it takes for inputs of given shapes.

Nothing is computed but shapes and the few numbers that they depend on. All arithmetic is in whole
numbers of any size, so nothing wraps around.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeembed_runtime.bundle.graph.call import Call, Shape, Value
from edgeembed_runtime.bundle.graph.elements import (
    ALIKE,
    COMPARISONS,
    PAIRS,
    alike_shapes,
    pair_shapes,
)
from edgeembed_runtime.bundle.graph.known_values import known_values, top_value
from edgeembed_runtime.bundle.graph.movements import MOVEMENTS
from edgeembed_runtime.bundle.graph.products import PRODUCTS
from edgeembed_runtime.bundle.graph.reading import BITS, Graph, GraphError

KNOWN_OPERATORS = frozenset((*PAIRS, *ALIKE, *MOVEMENTS, *PRODUCTS, "Constant"))
_MAX_RANK = 32
# No graph has a result of as much; larger numbers only make the arithmetic slow.
_MAX_BYTES = 1 << 50
_INT64 = 8
_FLOATS = frozenset(("DequantizeLinear",))
_INT64S = frozenset(("Shape", "Size", "NonZero", "ArgMax", "ArgMin"))
_BYTES = frozenset(("QuantizeLinear", "DynamicQuantizeLinear", *COMPARISONS))
_INEXACT = frozenset(("NonZero",))
_INPUT_WIDTH = {"pixel_values": 4}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """What a run takes, beside the weights.

    Attributes:
        peak: bytes that are needed at once, if each result is freed after its last use.
        largest: bytes of the largest result.
        work: multiplications.
        folded: bytes of results that depend on no input: they are computed at load.
        folded_work: multiplications for these.
    """

    peak: int
    largest: int
    work: int
    folded: int
    folded_work: int


def sizes_of(graph: Graph, inputs: Mapping[str, Shape]) -> Sizes:
    """Run a graph dry for inputs of these shapes.

    Raises:
        GraphError: an operator is unknown, a size has no bound, or shapes contradict each other.
    """
    values: dict[str, Value] = {
        name: Value(each.shape, BITS[each.kind] / 8, each.values, constant=True)
        for name, each in graph.constants.items()
    }
    values |= {name: Value(s, _INPUT_WIDTH.get(name, _INT64)) for name, s in inputs.items()}
    last_uses = _last_uses(graph)
    live = peak = sum(values[name].nbytes for name in inputs)
    largest = work = folded = folded_work = 0
    for at, node in enumerate(graph.nodes):
        given = tuple(values[name] if name else None for name in node.inputs)
        results, node_work, scratch = _run(Call(node, given, graph.opset))
        new = sum(result.nbytes for result in results)
        if new > _MAX_BYTES:
            raise Call(node, given, graph.opset).error(f"a result takes {new} bytes")
        largest = max(largest, scratch, *(result.nbytes for result in results), 0)
        if all(result.constant for result in results):
            folded += new + scratch
            folded_work += node_work
        else:
            live += new
            peak = max(peak, live + scratch)
            work += node_work + sum(result.size for result in results)
        for name, result in zip(node.outputs, results, strict=False):
            values[name] = result
        for name in last_uses.get(at, ()):
            gone = values.pop(name, None)
            if gone is not None and not gone.constant:
                live -= gone.nbytes
    return Sizes(peak=peak, largest=largest, work=work, folded=folded, folded_work=folded_work)


def _last_uses(graph: Graph) -> dict[int, list[str]]:
    """The results that no node needs after the node at each place."""
    kept = {*graph.outputs, *graph.constants, *graph.inputs, ""}
    last: dict[str, int] = {}
    for at, node in enumerate(graph.nodes):
        last.update(dict.fromkeys((*node.outputs, *node.inputs), at))
    uses: dict[int, list[str]] = {}
    for name, at in last.items():
        if name not in kept:
            uses.setdefault(at, []).append(name)
    return uses


def _run(call: Call) -> tuple[list[Value], int, int]:
    node = call.node
    try:
        shapes, work, scratch = _shapes(call)
        for shape in shapes:
            if len(shape) > _MAX_RANK:
                raise call.error(f"expected at most {_MAX_RANK} axes, got {len(shape)}")
        known = known_values(call, shapes[0]) if shapes else None
        top = top_value(call, shapes[0]) if shapes and known is None else None
    except GraphError:
        raise
    except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise call.error(f"its inputs do not fit: {error}") from error
    constant = all(value is None or value.constant for value in call.inputs)
    exact = node.operator not in _INEXACT and call.exact
    if top is not None and math.prod(shapes[0]) == 1:
        known, exact = np.full(shapes[0], top, np.int64), False
    width = _width(call)
    results = [
        Value(shape, width, known if place == 0 else None, constant, exact, top)
        for place, shape in enumerate(shapes[: len(node.outputs)])
    ]
    if len(results) < len(node.outputs):
        raise call.error(f"expected {len(shapes)} results, found {len(node.outputs)}")
    return results, work, scratch


def _shapes(call: Call) -> tuple[list[Shape], int, int]:
    operator = call.node.operator
    if operator in PAIRS:
        return pair_shapes(call), 0, 0
    if operator in ALIKE:
        return alike_shapes(call), 0, 0
    if operator in MOVEMENTS:
        return MOVEMENTS[operator](call), 0, 0
    if operator in PRODUCTS:
        product = PRODUCTS[operator](call)
        return product.shapes, product.work, product.scratch
    return [_constant_shape(call)], 0, 0


def _constant_shape(call: Call) -> Shape:
    tensor = call.tensor("value")
    if tensor is not None:
        return tensor.shape
    for name in ("value_ints", "value_floats"):
        value = call.node.attributes.get(name)
        if value is not None:
            return (len(value),)  # pyright: ignore[reportArgumentType]
    return ()


def _width(call: Call) -> float:
    """Bytes of an element of the result; at least those that it has."""
    operator = call.node.operator
    if operator in ("Cast", "ConstantOfShape", "Constant", "EyeLike"):
        tensor = call.tensor("value")
        kind = call.number("to", call.number("dtype", 7)) if tensor is None else tensor.kind
        return BITS.get(kind, 64) / 8
    if operator in _FLOATS:
        return 4
    if operator in _INT64S:
        return _INT64
    if operator in _BYTES:
        return 1
    if operator in PRODUCTS or operator in ("OneHot", "GatherBlockQuantized"):
        wide = any(v is not None and v.width == _INT64 for v in call.inputs[:3])
        return _INT64 if wide else 4
    if operator == "Where":
        return max((v.width for v in call.inputs[1:] if v is not None), default=_INT64)
    if operator in PAIRS:
        return max((v.width for v in call.inputs if v is not None), default=_INT64)
    first = call.inputs[0] if call.inputs else None
    return _INT64 if first is None else max(1, first.width)
