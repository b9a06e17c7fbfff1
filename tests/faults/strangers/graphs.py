"""Graphs that ask for memory or time: at load, by constants, or at each run."""

from itertools import pairwise

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from helpers import tiny_bundle

node = helper.make_node
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def ints(name, values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def floats(name, values):
    return numpy_helper.from_array(np.array(values, np.float32), name)


def put_graph(folder, nodes, constants=(), *, scalar="s", edit=None):
    """A good graph and hostile nodes, whose result `scalar` is added to the vector."""
    model = tiny_bundle.graph(tiny_bundle.table())
    last = model.graph.node[-1]
    last.output[0] = "alone"
    model.graph.initializer.extend(constants)
    model.graph.node.extend(nodes)
    model.graph.node.append(node("Add", ["alone", scalar], ["embedding"]))
    if edit is not None:
        edit(model)
    put_bytes(folder, model.SerializeToString())


def put_bytes(folder, data):
    for name in ("fp32.onnx", "int8.onnx"):
        tiny_bundle.put_file(folder, name, data)


def summed(name):
    return node("ReduceMax", [name], ["s"], keepdims=0)


def sides_of(chance, exponent=None):
    """Dimensions whose product is between 10^7 and 10^19."""
    total = 10 ** (exponent or chance.uniform(8, 19))
    count = chance.randint(1, 4)
    return [max(1, int(total ** (1 / count)))] * count


def folded_fill(folder, chance):
    sides = sides_of(chance)
    put_graph(folder, [node("ConstantOfShape", ["n"], ["big"]), summed("big")], [ints("n", sides)])
    return sides


def folded_expand(folder, chance):
    sides = sides_of(chance)
    nodes = [node("Expand", ["unit", "n"], ["big"]), summed("big")]
    put_graph(folder, nodes, [floats("unit", [1]), ints("n", sides)])
    return sides


def folded_tile(folder, chance):
    times = int(10 ** chance.uniform(8, 18))
    nodes = [node("Tile", ["unit", "n"], ["big"]), summed("big")]
    put_graph(folder, nodes, [floats("unit", [1]), ints("n", [times])])
    return times


def folded_pad(folder, chance):
    width = int(10 ** chance.uniform(8, 18))
    nodes = [node("Pad", ["unit", "n"], ["big"]), summed("big")]
    put_graph(folder, nodes, [floats("unit", [1]), ints("n", [0, width])])


def folded_range(folder, chance):
    stop = int(10 ** chance.uniform(8, 18))
    nodes = [
        node("Range", ["a", "b", "c"], ["r"]),
        node("Cast", ["r"], ["f"], to=FLOAT),
        summed("f"),
    ]
    put_graph(folder, nodes, [ints("a", 0), ints("b", stop), ints("c", 1)])


def folded_doublings(folder, chance):
    count = chance.randint(24, 200)
    names = ["unit", *(f"d{at}" for at in range(count))]
    nodes = [node("Concat", [old, old], [new], axis=0) for old, new in pairwise(names)]
    put_graph(folder, [*nodes, summed(names[-1])], [floats("unit", [1])])


def folded_outer_sums(folder, chance):
    """Each step broadcasts a row and a column: sides stay, products grow."""
    side = chance.choice((300, 3_000, 20_000))
    nodes = [
        node("Unsqueeze", ["row", "first"], ["upright"]),
        node("Add", ["row", "upright"], ["square"]),
        node("Unsqueeze", ["square", "first"], ["plane"]),
        node("Unsqueeze", ["plane", "first"], ["space"]),
        node("Transpose", ["space"], ["turned"], perm=[3, 2, 1, 0]),
        node("Add", ["space", "turned"], ["big"]),
        summed("big"),
    ]
    constants = [floats("row", np.ones((1, side))), ints("first", [0])]
    put_graph(folder, nodes, constants)


def folded_products(folder, chance):
    side, count = chance.choice((500, 1500, 3000)), chance.randint(100, 800)
    names = [f"m{at}" for at in range(count + 1)]
    nodes = [node("ConstantOfShape", ["n"], ["m0"])]
    nodes += [node("MatMul", [old, "m0"], [new]) for old, new in pairwise(names)]
    put_graph(folder, [*nodes, summed(names[-1])], [ints("n", [side, side])])


def folded_convolution(folder, chance):
    side, kernel = chance.choice((500, 2000)), chance.choice((200, 400))
    nodes = [
        node("ConstantOfShape", ["n"], ["image"]),
        node("ConstantOfShape", ["k"], ["kernel"]),
        node("Conv", ["image", "kernel"], ["big"]),
        summed("big"),
    ]
    constants = [ints("n", [1, 1, side, side]), ints("k", [1, 1, kernel, kernel])]
    put_graph(folder, nodes, constants)


def folded_one_hot(folder, chance):
    nodes = [node("OneHot", ["ids", "depth", "values"], ["big"]), summed("big")]
    depth = int(10 ** chance.uniform(8, 12))
    constants = [ints("ids", [[1] * 100]), ints("depth", [depth]), floats("values", [0, 1])]
    put_graph(folder, nodes, constants)


def folded_resize(folder, chance):
    scale = 10 ** chance.uniform(3, 6)
    nodes = [node("Resize", ["image", "", "scales"], ["big"]), summed("big")]
    constants = [floats("image", np.ones((1, 1, 8, 8))), floats("scales", [1, 1, scale, scale])]
    put_graph(folder, nodes, constants)


def run_fill(folder, chance):
    times = [int(10 ** chance.uniform(7, 11))]
    nodes = [
        node("Shape", ["input_ids"], ["shape"], start=0, end=1),
        node("Mul", ["shape", "times"], ["n"]),
        node("ConstantOfShape", ["n"], ["big"]),
        summed("big"),
    ]
    put_graph(folder, nodes, [ints("times", times)])


def run_fill_by_ids(folder, chance):
    """The size is a number of the text itself."""
    nodes = [
        node("ReduceMax", ["input_ids"], ["highest"], keepdims=0),
        node("Mul", ["highest", "times"], ["n0"]),
        node("Reshape", ["n0", "flat"], ["n"]),
        node("ConstantOfShape", ["n"], ["big"]),
        summed("big"),
    ]
    times = ints("times", int(10 ** chance.uniform(7, 9)))
    put_graph(folder, nodes, [times, ints("flat", [1])])


def run_powers_of_the_length(folder, chance):
    """(t, t, t, ...) by broadcasting, out of the text's own length."""
    power = chance.randint(4, 7)
    nodes = [
        node("Cast", ["input_ids"], ["flat"], to=FLOAT),
        node("Squeeze", ["flat", "front"], ["x1"]),
    ]
    for at in range(1, power):
        nodes.append(node("Unsqueeze", [f"x{at}", "back"], [f"u{at}"]))
        nodes.append(node("Add", [f"u{at}", "x1"], [f"x{at + 1}"]))
    put_graph(folder, [*nodes, summed(f"x{power}")], [ints("front", [0]), ints("back", [-1])])
    return power


def run_products(folder, chance):
    """Multiplications without end for each token."""
    side, count = chance.choice((2000, 3500)), chance.randint(300, 900)
    names = [f"m{at}" for at in range(count + 1)]
    nodes = [
        node("Shape", ["input_ids"], ["shape"], start=0, end=1),
        node("Mul", ["shape", "side"], ["n"]),
        node("Concat", ["n", "n"], ["nn"], axis=0),
        node("ConstantOfShape", ["nn"], ["m0"]),
    ]
    nodes += [node("MatMul", [old, "m0"], [new]) for old, new in pairwise(names)]
    put_graph(folder, [*nodes, summed(names[-1])], [ints("side", [side])])


def _body(*nodes, inputs=(), outputs=()):
    return helper.make_graph(list(nodes), "body", list(inputs), list(outputs))


def loop(folder, chance):
    info = helper.make_tensor_value_info
    body = _body(
        node("Identity", ["c"], ["co"]),
        node("Identity", ["v"], ["vo"]),
        inputs=[info("i", INT64, []), info("c", TensorProto.BOOL, []), info("v", FLOAT, [])],
        outputs=[info("co", TensorProto.BOOL, []), info("vo", FLOAT, [])],
    )
    constants = [
        ints("n", 2**62),
        numpy_helper.from_array(np.array(True), "go"),
        floats("zero", 0),
    ]
    operator = chance.choice(("Loop", "If", "Scan", "SequenceMap"))
    put_graph(folder, [node(operator, ["n", "go", "zero"], ["s"], body=body)], constants)
    return operator


def many_nodes(folder, chance):
    """As many as the bytes allow."""
    operator = chance.choice(("Sin", "Identity", "Add", "Softmax"))
    count = 12_000 if operator == "Add" else 14_000
    nodes = [node("Cast", ["input_ids"], ["0"], to=FLOAT)]
    for at in range(count):
        old, new = f"{at:x}", f"{at + 1:x}"
        nodes.append(node(operator, [old, old] if operator == "Add" else [old], [new]))
    nodes.append(summed(f"{count:x}"))
    put_graph(folder, nodes)
    return operator


def many_inputs(folder, chance):
    count = chance.choice((1_000, 50_000, 150_000))
    nodes = [node("Concat", ["a"] * count, ["big"], axis=0), summed("big")]
    put_graph(folder, nodes, [floats("a", [1] * chance.choice((1, 1000)))])
    return count


def cycle(folder, _):
    put_graph(folder, [node("Add", ["s", "s"], ["x"]), node("Identity", ["x"], ["s"])])


def odd_constant(folder, chance):
    dims = chance.choice(([-4], [2**62, 4], [2**33, 2**31], [2**63 - 1], [1, 0, 2**62], [4] * 40))
    raw = b"\0" * chance.choice((0, 3, 16))
    tensor = TensorProto(name="s", data_type=FLOAT, dims=dims, raw_data=raw)
    put_graph(folder, [], [tensor])
    return dims


def foreign_operator(folder, chance):
    operator, domain = chance.choice(
        [
            ("EPContext", "com.microsoft"),
            ("PyOp", "com.microsoft"),
            ("Evil", "evil"),
            ("ImageDecoder", ""),
            ("StringSplit", ""),
            ("NonMaxSuppression", ""),
            ("RandomNormal", ""),
            ("EmbedLayerNormalization", "com.microsoft"),
            ("SequenceConstruct", ""),
        ]
    )
    put_graph(folder, [node(operator, ["input_ids"], ["s"], domain=domain)])
    return operator


GRAPHS = [
    folded_fill,
    folded_expand,
    folded_tile,
    folded_pad,
    folded_range,
    folded_doublings,
    folded_outer_sums,
    folded_products,
    folded_convolution,
    folded_one_hot,
    folded_resize,
    run_fill,
    run_fill_by_ids,
    run_powers_of_the_length,
    run_products,
    loop,
    many_nodes,
    many_inputs,
    cycle,
    odd_constant,
    foreign_operator,
]
