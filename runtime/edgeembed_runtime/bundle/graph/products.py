"""The shapes of results of operators that multiply, and the work that is in them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgeembed_runtime.bundle.graph.call import Call, Shape, broadcast


@dataclass(frozen=True, slots=True)
class Product:
    """Shapes of results, multiplications, and bytes that are needed beside them meanwhile."""

    shapes: list[Shape]
    work: int
    scratch: int = 0


ProductFunction = Callable[[Call], Product]


def _mat_mul(call: Call) -> Product:
    return _multiplied(call, call.shape(0), call.shape(1))


def _fused_mat_mul(call: Call) -> Product:
    left, right = call.shape(0), call.shape(1)
    if call.number("transBatchA", 0) or call.number("transBatchB", 0):
        raise call.error("expected no transposed batches")
    left = _swapped(left) if call.number("transA", 0) else left
    return _multiplied(call, left, _swapped(right) if call.number("transB", 0) else right)


def _q_linear_mat_mul(call: Call) -> Product:
    return _multiplied(call, call.shape(0), call.shape(3))


def _gemm(call: Call) -> Product:
    return _fused_mat_mul(call)


def _mat_mul_n_bits(call: Call) -> Product:
    left, rows, columns = call.shape(0), call.number("K", 0), call.number("N", 0)
    if not left or left[-1] != rows or columns < 1:
        raise call.error(f"shape {left} does not fit {rows} x {columns}")
    # Dequantized for long inputs.
    scratch = 4 * rows * columns
    return Product([(*left[:-1], columns)], math.prod(left) * columns, scratch)


def _einsum(call: Call) -> Product:
    terms, arrow, result = call.text("equation").replace(" ", "").partition("->")
    parts = terms.split(",")
    if len(parts) != len(call.inputs) or not arrow:
        raise call.error("expected one term for each input, and a result")
    sides: dict[str, int] = {}
    dots = 0
    for place, part in enumerate(parts):
        shape = call.shape(place)
        rest = len(shape) - len(part.replace("...", ""))
        axes = _axes(part, rest)
        if len(axes) != len(shape):
            raise call.error(f"shape {shape} does not fit {part!r:.40}")
        dots = max(dots, rest)
        for axis, side in zip(axes, shape, strict=True):
            sides[axis] = max(side, sides.get(axis, 1))
    wanted = _axes(result, dots)
    if not set(wanted) <= set(sides):
        raise call.error("the result has letters of its own")
    # Three terms and more are multiplied in pairs, whose results may have all axes.
    work = math.prod(sides.values())
    scratch = 4 * (work if len(parts) > 2 else sum(call.value(at).size for at in range(len(parts))))
    return Product([tuple(sides[axis] for axis in wanted)], work * len(parts), scratch)


def _axes(term: str, dots: int) -> list[str]:
    """The names of a term's axes; those that three dots stand for are numbered from the end."""
    before, found, after = term.partition("...")
    between = [str(at) for at in range(dots, 0, -1)] if found else []
    return [*before, *between, *after]


def _conv(call: Call) -> Product:
    return _convolved(call, call.shape(0), call.shape(1))


def _q_linear_conv(call: Call) -> Product:
    return _convolved(call, call.shape(0), call.shape(3))


def _pool(call: Call) -> Product:
    shape, kernel = call.shape(0), call.numbers("kernel_shape") or []
    sides = _slid(call, shape[2:], kernel)
    result = (*shape[:2], *sides)
    return Product([result] * len(call.node.outputs), math.prod(result) * math.prod(kernel))


def _global_pool(call: Call) -> Product:
    shape = call.shape(0)
    return Product([(*shape[:2], *(1 for _ in shape[2:]))], math.prod(shape))


def _dft(call: Call) -> Product:
    shape = list(call.shape(0))
    axis = call.known(2)[0] if call.has(2) else call.number("axis", 1 if call.opset < 20 else -2)
    axis = call.axis(axis, len(shape))
    length = call.known(1)[0] if call.has(1) else shape[axis]
    if length < 1 or len(shape) < 2:
        raise call.error(f"shape {tuple(shape)} does not fit")
    shape[axis] = length // 2 + 1 if call.number("onesided", 0) else length
    shape[-1] = 2
    # Of a length that is no power of two, by way of three transforms of up to four times it.
    work = math.prod(shape) * 32 * length.bit_length()
    return Product([tuple(shape)], work, 64 * length + 8 * math.prod(shape))


def _q_attention(call: Call) -> Product:
    batch, tokens, width = _three(call, 0)
    hidden = call.shape(1)[-1] // 3
    heads = _heads(call, hidden)
    projected = batch * tokens * width * 3 * hidden
    scores = batch * heads * tokens * tokens
    work = projected + 2 * batch * tokens * tokens * hidden
    return Product([(batch, tokens, hidden)], work, 4 * (scores + 4 * batch * tokens * hidden))


def _multi_head_attention(call: Call) -> Product:
    batch, tokens, hidden = _three(call, 0)
    _, others, _ = _three(call, 1)
    wide = _three(call, 2)[2]
    scores = batch * _heads(call, hidden) * tokens * others
    work = batch * tokens * others * (hidden + wide)
    scratch = 4 * (scores + batch * (tokens * 2 + others * 2) * max(hidden, wide))
    return Product([(batch, tokens, wide)], work, scratch)


def _recurrent(call: Call) -> Product:
    tokens, batch, width = _three(call, 0)
    directions, gates, _ = _three(call, 1)
    hidden = _three(call, 2)[2]
    work = tokens * batch * directions * gates * (width + hidden)
    last = (directions, batch, hidden)
    return Product(
        [(tokens, directions, batch, hidden), last, last], work, 4 * work // max(1, hidden)
    )


def _heads(call: Call, hidden: int) -> int:
    heads = call.number("num_heads", 1)
    if not 1 <= heads <= hidden:
        raise call.error(f"expected 1 to {hidden} heads, got {heads}")
    return heads


def _three(call: Call, place: int) -> Shape:
    shape = call.shape(place)
    if len(shape) != 3:
        raise call.error(f"expected three axes, got shape {shape}")
    return shape


def _swapped(shape: Shape) -> Shape:
    return (*shape[:-2], *shape[-2:][::-1])


def _multiplied(call: Call, left: Shape, right: Shape) -> Product:
    if not left or not right:
        raise call.error(f"shapes {left} and {right} do not fit")
    first = left if len(left) > 1 else (1, *left)
    second = right if len(right) > 1 else (*right, 1)
    if first[-1] != second[-2]:
        raise call.error(f"shapes {left} and {right} do not fit")
    batch = broadcast(call, [first[:-2], second[:-2]])
    work = math.prod(batch) * first[-2] * first[-1] * second[-1]
    result = (*batch, *first[-2 : -1 if len(left) > 1 else -2])
    return Product([(*result, second[-1]) if len(right) > 1 else result], work)


def _convolved(call: Call, image: Shape, kernel: Shape) -> Product:
    groups = max(1, call.number("group", 1))
    if len(image) < 3 or len(kernel) != len(image) or image[1] != kernel[1] * groups:
        raise call.error(f"shapes {image} and {kernel} do not fit")
    result = (image[0], kernel[0], *_slid(call, image[2:], list(kernel[2:])))
    cells = math.prod(kernel[1:])
    # Of one group at a time, the pixels are laid out once for each place of the kernel.
    return Product([result], math.prod(result) * cells, 4 * math.prod(result[2:]) * cells)


def _slid(call: Call, sides: Shape, kernel: list[int]) -> Shape:
    """How many places a kernel has on an image."""
    rank = len(sides)
    strides = call.numbers("strides") or [1] * rank
    gaps = call.numbers("dilations") or [1] * rank
    pads = call.numbers("pads") or [0] * (2 * rank)
    if not len(kernel) == len(strides) == len(gaps) == len(pads) // 2 == rank:
        raise call.error(f"sides {sides} do not fit a kernel of {kernel}")
    if min((*kernel, *strides, *gaps, 1)) < 1 or min(pads, default=0) < 0:
        raise call.error("expected positive numbers")
    automatic = call.text("auto_pad", "NOTSET")
    places: list[int] = []
    for at, side in enumerate(sides):
        reach = gaps[at] * (kernel[at] - 1) + 1
        room = side + pads[at] + pads[at + rank] - reach
        if automatic.startswith("SAME"):
            places.append(-(-side // strides[at]))
        elif call.number("ceil_mode", 0):
            places.append(max(0, -(-room // strides[at]) + 1))
        else:
            places.append(max(0, room // strides[at] + 1))
    return tuple(places)


PRODUCTS: Mapping[str, ProductFunction] = {
    "MatMul": _mat_mul,
    "MatMulInteger": _mat_mul,
    "FusedMatMul": _fused_mat_mul,
    "QLinearMatMul": _q_linear_mat_mul,
    "Gemm": _gemm,
    "MatMulNBits": _mat_mul_n_bits,
    "Einsum": _einsum,
    "Conv": _conv,
    "ConvInteger": _conv,
    "QLinearConv": _q_linear_conv,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "DFT": _dft,
    "QAttention": _q_attention,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "MultiHeadAttention": _multi_head_attention,
}
