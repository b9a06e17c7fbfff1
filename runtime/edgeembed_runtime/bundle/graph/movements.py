"""The shapes of results of operators that move, cut, repeat and look up."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from edgeembed_runtime.bundle.graph.call import NO_BOUND, Call, Shape, broadcast

Shapes = list[Shape]
ShapeFunction = Callable[[Call], Shapes]
_END = (1 << 63) - 1


def _reshape(call: Call) -> Shapes:
    shape, wanted = call.shape(0), call.known(1)
    zero = call.number("allowzero", 0)
    sides = [
        shape[at] if side == 0 and not zero and at < len(shape) else side
        for at, side in enumerate(wanted)
    ]
    size, rest = math.prod(shape), math.prod(side for side in sides if side != -1)
    if sides.count(-1) == 1 and rest > 0:
        # Of upper bounds, the quotient is none.
        sides[sides.index(-1)] = size // rest if call.value(1).exact else size
    if min(sides, default=0) < 0 or (call.exact and math.prod(sides) != size):
        raise call.error(f"shape {shape} does not fit {tuple(wanted)}")
    return [tuple(sides)]


def _transpose(call: Call) -> Shapes:
    shape = call.shape(0)
    order = call.numbers("perm")
    if order is None:
        return [shape[::-1]]
    if sorted(order) != list(range(len(shape))):
        raise call.error(f"shape {shape} has no axes {order}")
    return [tuple(shape[axis] for axis in order)]


def _concat(call: Call) -> Shapes:
    shapes = [call.shape(at) for at in range(len(call.inputs))]
    if not shapes or len({len(shape) for shape in shapes}) != 1:
        raise call.error(f"shapes {shapes[:4]} do not fit")
    axis = call.axis(call.number("axis", 0), len(shapes[0]))
    joined = list(shapes[0])
    joined[axis] = sum(shape[axis] for shape in shapes)
    return [tuple(joined)]


def _split(call: Call) -> Shapes:
    shape = call.shape(0)
    axis = call.axis(call.number("axis", 0), len(shape))
    parts, count = call.numbers_or_input("split", 1), len(call.node.outputs)
    if parts is None and not call.exact:
        return [shape] * count
    if parts is None:
        each = -(-shape[axis] // max(count, 1))
        parts = [each] * (count - 1) + [shape[axis] - each * (count - 1)]
    if len(parts) != count or min(parts, default=0) < 0 or sum(parts) != shape[axis]:
        raise call.error(f"shape {shape} has no parts {parts}")
    return [(*shape[:axis], part, *shape[axis + 1 :]) for part in parts]


def _slice(call: Call) -> Shapes:
    shape = list(call.shape(0))
    starts, ends = call.numbers_or_input("starts", 1), call.numbers_or_input("ends", 2)
    if starts is None or ends is None:
        raise call.error("expected starts and ends")
    if any(call.has(place) and not call.value(place).exact for place in (1, 3, 4)):
        raise call.error(NO_BOUND)
    axes = call.numbers_or_input("axes", 3) or list(range(len(starts)))
    steps = (call.known(4) if call.has(4) else None) or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise call.error("starts, ends, axes and steps do not fit")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        at = call.axis(axis, len(shape))
        # Exporters write the least int64 for "from the start".
        bounds = slice(start, end if step > 0 or end >= -shape[at] else None, step)
        shape[at] = len(range(*bounds.indices(shape[at])))
    return [tuple(shape)]


def _gather(call: Call) -> Shapes:
    shape, chosen = call.shape(0), call.shape(1)
    axis = call.axis(call.number("axis", 0), len(shape))
    return [(*shape[:axis], *chosen, *shape[axis + 1 :])]


def _gather_block_quantized(call: Call) -> Shapes:
    (shape,) = _gather(call)
    packed = call.value(0).width == 1 and call.number("bits", 4) == 4
    return [(*shape[:-1], 2 * shape[-1])] if packed else [shape]


def _gather_nd(call: Call) -> Shapes:
    shape, chosen = call.shape(0), call.shape(1)
    batch = call.number("batch_dims", 0)
    if not chosen or not batch >= 0 or batch + chosen[-1] > len(shape):
        raise call.error(f"shape {shape} has no rows {chosen}")
    return [(*chosen[:-1], *shape[batch + chosen[-1] :])]


def _squeeze(call: Call) -> Shapes:
    shape, axes = call.shape(0), call.numbers_or_input("axes", 1)
    if axes is None:
        return [tuple(side for side in shape if side != 1)]
    gone = {call.axis(axis, len(shape)) for axis in axes}
    if any(shape[axis] != 1 for axis in gone):
        raise call.error(f"shape {shape} is not 1 along {axes}")
    return [tuple(side for axis, side in enumerate(shape) if axis not in gone)]


def _unsqueeze(call: Call) -> Shapes:
    shape, axes = call.shape(0), call.numbers_or_input("axes", 1) or []
    rank = len(shape) + len(axes)
    new = {call.axis(axis, rank) for axis in axes}
    if len(new) != len(axes):
        raise call.error(f"an axis is there twice: {axes}")
    sides = iter(shape)
    return [tuple(1 if axis in new else next(sides) for axis in range(rank))]


def _flatten(call: Call) -> Shapes:
    shape = call.shape(0)
    axis = call.number("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    return [(math.prod(shape[:axis]), math.prod(shape[axis:]))]


def _expand(call: Call) -> Shapes:
    return [broadcast(call, [call.shape(0), _sides(call, call.known(1))])]


def _tile(call: Call) -> Shapes:
    shape, repeats = call.shape(0), _sides(call, call.known(1))
    if len(shape) != len(repeats):
        raise call.error(f"shape {shape} does not fit {repeats}")
    return [tuple(side * times for side, times in zip(shape, repeats, strict=True))]


def _constant_of_shape(call: Call) -> Shapes:
    return [_sides(call, call.known(0))]


def _pad(call: Call) -> Shapes:
    shape = call.shape(0)
    pads = call.numbers_or_input("pads", 1) or []
    axes = call.known(3) if call.has(3) else list(range(len(shape)))
    if len(pads) != 2 * len(axes):
        raise call.error(f"shape {shape} does not fit {pads}")
    sides = list(shape)
    for at, axis in enumerate(axes):
        sides[call.axis(axis, len(shape))] += pads[at] + pads[at + len(axes)]
    return [_sides(call, sides)]


def _range(call: Call) -> Shapes:
    values = [call.value(place).values for place in range(3)]
    if any(value is None or value.size != 1 for value in values) or not (
        call.value(0).exact and call.value(2).exact
    ):
        raise call.error(NO_BOUND)
    start, limit, step = (float(np.ravel(value)[0]) for value in values if value is not None)
    if not all(map(math.isfinite, (start, limit, step))) or step == 0:
        raise call.error("expected finite numbers, and a step")
    length = (limit - start) / step
    return [(max(0, math.ceil(length)) if math.isfinite(length) else _END,)]


def _shape_of(call: Call) -> Shapes:
    rank = len(call.shape(0))
    return [(len(range(*slice(call.number("start", 0), call.number("end", rank)).indices(rank))),)]


def _scalar(_: Call) -> Shapes:
    return [()]


def _one_hot(call: Call) -> Shapes:
    shape, depth = call.shape(0), call.known(1)
    axis = call.axis(call.number("axis", -1), len(shape) + 1)
    return [(*shape[:axis], *_sides(call, depth[:1]), *shape[axis:])]


def _eye_like(call: Call) -> Shapes:
    return [call.shape(0)]


def _non_zero(call: Call) -> Shapes:
    shape = call.shape(0)
    return [(max(len(shape), 1), math.prod(shape))]


def _top_k(call: Call) -> Shapes:
    shape, (count, *_) = call.shape(0), call.known(1)
    axis = call.axis(call.number("axis", -1), len(shape))
    if not 0 <= count <= shape[axis]:
        raise call.error(f"shape {shape} has no {count} highest")
    return [(*shape[:axis], count, *shape[axis + 1 :])] * 2


def _reduce(call: Call) -> Shapes:
    shape, axes = call.shape(0), call.numbers_or_input("axes", 1)
    if not axes and call.number("noop_with_empty_axes", 0):
        return [shape]
    gone = {call.axis(axis, len(shape)) for axis in axes or range(len(shape))}
    return [_without(shape, gone, keep=bool(call.number("keepdims", 1)))]


def _arg_reduce(call: Call) -> Shapes:
    shape = call.shape(0)
    gone = {call.axis(call.number("axis", 0), len(shape))}
    return [_without(shape, gone, keep=bool(call.number("keepdims", 1)))]


def _depth_to_space(call: Call) -> Shapes:
    n, c, h, w = _four(call)
    block = max(1, call.number("blocksize", 1))
    return [(n, c // block**2, h * block, w * block)]


def _space_to_depth(call: Call) -> Shapes:
    n, c, h, w = _four(call)
    block = max(1, call.number("blocksize", 1))
    return [(n, c * block**2, h // block, w // block)]


def _resize(call: Call) -> Shapes:
    shape = call.shape(0)
    axes = call.numbers("axes") or list(range(len(shape)))
    sides = list(shape)
    if call.has(3) and call.value(3).size:
        for axis, side in zip(axes, call.known(3), strict=False):
            sides[call.axis(axis, len(shape))] = side
    else:
        scales = call.value(2).values
        if scales is None:
            raise call.error(NO_BOUND)
        for axis, scale in zip(axes, scales.ravel(), strict=False):
            at = call.axis(axis, len(shape))
            scaled = float(scale) * sides[at]
            sides[at] = math.ceil(scaled) if math.isfinite(scaled) else _END
    return [_sides(call, sides)]


def _without(shape: Shape, gone: set[int], *, keep: bool) -> Shape:
    if keep:
        return tuple(1 if axis in gone else side for axis, side in enumerate(shape))
    return tuple(side for axis, side in enumerate(shape) if axis not in gone)


def _four(call: Call) -> Shape:
    shape = call.shape(0)
    if len(shape) != 4:
        raise call.error(f"expected an image, got shape {shape}")
    return shape


def _sides(call: Call, sides: list[int]) -> Shape:
    if min(sides, default=0) < 0:
        raise call.error(f"expected a shape, got {sides[:8]}")
    return tuple(sides)


MOVEMENTS: Mapping[str, ShapeFunction] = {
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherBlockQuantized": _gather_block_quantized,
    "GatherElements": lambda call: [call.shape(1)],
    "GatherND": _gather_nd,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Flatten": _flatten,
    "Expand": _expand,
    "Tile": _tile,
    "ConstantOfShape": _constant_of_shape,
    "Pad": _pad,
    "Range": _range,
    "Shape": _shape_of,
    "Size": _scalar,
    "OneHot": _one_hot,
    "EyeLike": _eye_like,
    "NonZero": _non_zero,
    "TopK": _top_k,
    "ArgMax": _arg_reduce,
    "ArgMin": _arg_reduce,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Resize": _resize,
    **dict.fromkeys(
        (
            f"Reduce{name}"
            for name in ("L1", "L2", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
        ),
        _reduce,
    ),
}
