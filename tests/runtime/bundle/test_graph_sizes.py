"""The memory and time that a graph takes, found before onnxruntime sees it."""

import random

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeembed_runtime._internal.protobuf import read_fields, read_message
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.bundle.graph.check import check_graph
from edgeembed_runtime.bundle.graph.products import PRODUCTS
from edgeembed_runtime.bundle.graph.reading import read_graph
from edgeembed_runtime.bundle.graph.room import Expected, Room
from edgeembed_runtime.bundle.graph.sizes import KNOWN_OPERATORS, sizes_of
from edgeembed_runtime.bundle.packaged import PACKAGED
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import (
    BundleCorruptError,
    BundleUnsafeError,
    InferenceError,
    InputError,
)
from faults.strangers.graphs import GRAPHS, floats, ints, node, put_graph
from faults.strangers.wire_formats import FILES
from helpers import tiny_bundle

TEXTS = Expected.texts(32, static=False)


@pytest.mark.parametrize("name", PACKAGED)
def test_the_package_s_own_graphs_pass(name):
    bundle = Bundle.open(PACKAGED[name].path)
    tower = bundle.manifest.text_tower()
    for variant in tower.variants:
        expected = Expected.texts(tower.max_tokens, static=tower.static)
        Room.checked(bundle.read(variant.file), variant.file, expected)


def run(nodes, constants, ids):
    """What onnxruntime makes of them: all results, and the dry run's sizes."""
    info = helper.make_tensor_value_info
    names = [name for each in nodes for name in each.output if name]
    graph = helper.make_graph(
        nodes,
        "g",
        [info("input_ids", TensorProto.INT64, ["n", "t"])],
        [helper.make_empty_tensor_value_info(name) for name in names],
        constants,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    results = onnxruntime.InferenceSession(model).run(names, {"input_ids": ids})
    return results, sizes_of(check_graph(model, "m"), {"input_ids": ids.shape})


IDS = np.arange(12, dtype=np.int64).reshape(2, 6)
FLOATS = node("Cast", ["input_ids"], ["x"], to=TensorProto.FLOAT)
OPERATORS = {
    "Reshape": ([node("Reshape", ["x", "c"], ["y"])], [ints("c", [0, -1, 3])]),
    "Transpose": ([node("Transpose", ["x"], ["y"])], []),
    "Concat": ([node("Concat", ["x", "x"], ["y"], axis=-1)], []),
    "Split": ([node("Split", ["x"], ["y", "z"], axis=1, num_outputs=2)], []),
    "Slice": (
        [node("Slice", ["x", "a", "b", "c", "d"], ["y"])],
        [ints("a", [-1]), ints("b", [-(2**62)]), ints("c", [1]), ints("d", [-2])],
    ),
    "Gather": ([node("Gather", ["c", "input_ids"], ["y"])], [floats("c", np.ones((12, 5)))]),
    "Squeeze": (
        [node("Unsqueeze", ["x", "c"], ["y"]), node("Squeeze", ["y"], ["z"])],
        [ints("c", [0, 3])],
    ),
    "Flatten": ([node("Flatten", ["x"], ["y"], axis=2)], []),
    "Expand": ([node("Expand", ["x", "c"], ["y"])], [ints("c", [3, 1, 6])]),
    "Tile": ([node("Tile", ["x", "c"], ["y"])], [ints("c", [2, 3])]),
    "Pad": ([node("Pad", ["x", "c"], ["y"])], [ints("c", [0, 1, 2, -1])]),
    "Range": (
        [
            node("Shape", ["x"], ["s"], start=1),
            node("Squeeze", ["s"], ["t"]),
            node("Range", ["a", "t", "b"], ["y"]),
        ],
        [ints("a", -3), ints("b", 2)],
    ),
    "TopK": ([node("TopK", ["x", "c"], ["y", "z"], axis=-1)], [ints("c", [2])]),
    "ReduceSum": ([node("ReduceSum", ["x", "c"], ["y"], keepdims=0)], [ints("c", [-1])]),
    "ArgMax": ([node("ArgMax", ["x"], ["y"], axis=1, keepdims=0)], []),
    "OneHot": (
        [node("OneHot", ["input_ids", "c", "d"], ["y"])],
        [ints("c", [4]), floats("d", [0, 1])],
    ),
    "MatMul": ([node("MatMul", ["x", "c"], ["y"])], [floats("c", np.ones((3, 6, 4)))]),
    "Gemm": ([node("Gemm", ["x", "c"], ["y"], transB=1)], [floats("c", np.ones((5, 6)))]),
    "Einsum": (
        [node("Einsum", ["x", "c"], ["y"], equation="...t,tk->k...")],
        [floats("c", np.ones((6, 4)))],
    ),
    "Conv": (
        [
            node("Unsqueeze", ["x", "a"], ["u"]),
            node("Conv", ["u", "c"], ["y"], pads=[1, 2], strides=[2], dilations=[2]),
        ],
        [ints("a", [1]), floats("c", np.ones((4, 1, 3)))],
    ),
    "MaxPool": (
        [
            node("Unsqueeze", ["x", "a"], ["u"]),
            node("MaxPool", ["u"], ["y"], kernel_shape=[3], strides=[2], ceil_mode=1),
        ],
        [ints("a", [1])],
    ),
    "Resize": (
        [
            node("Unsqueeze", ["x", "a"], ["u"]),
            node("Resize", ["u", "", "c"], ["y"], mode="nearest"),
        ],
        [ints("a", [0, 1]), floats("c", [1, 1, 2.5, 0.5])],
    ),
    "DFT": (
        [node("Unsqueeze", ["x", "a"], ["u"]), node("DFT", ["u"], ["y"], onesided=1)],
        [ints("a", [-1])],
    ),
    "DynamicQuantizeLinear": ([node("DynamicQuantizeLinear", ["x"], ["y", "s", "p"])], []),
    "ConstantOfShape": (
        [node("Shape", ["x"], ["s"]), node("ConstantOfShape", ["s"], ["y"])],
        [],
    ),
    "NonZero": ([node("NonZero", ["c"], ["y"])], [floats("c", np.ones((3, 4)))]),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_a_dry_run_finds_the_sizes_that_a_run_has(name):
    nodes, constants = OPERATORS[name]
    results, sizes = run([FLOATS, *nodes], constants, IDS)
    made = [np.asarray(result).nbytes for result in results]
    # Every result is an output, so all of them are held at once; products need room beside them.
    beside = 512 if name in PRODUCTS else 0
    found = sizes.peak + sizes.folded
    assert sum(made) <= found <= 2 * sum(made) + IDS.nbytes + beside
    assert name in KNOWN_OPERATORS


@pytest.mark.parametrize("kind", GRAPHS, ids=lambda kind: kind.__name__)
def test_a_graph_that_asks_for_memory_or_time_is_refused(own_bundle, kind):
    kind(own_bundle, random.Random("a stranger"))
    data = (own_bundle / "fp32.onnx").read_bytes()
    try:
        Room.checked(data, "m.onnx", TEXTS)
    except BundleUnsafeError as error:
        assert str(error).startswith("m.onnx: ")
    else:
        assert kind.__name__ == "many_inputs"  # many, but few enough


@pytest.mark.parametrize("kind", FILES, ids=lambda kind: kind.__name__)
def test_a_file_that_parsers_read_differently_is_refused(own_bundle, kind):
    kind(own_bundle, random.Random("a stranger"))
    data = (own_bundle / "fp32.onnx").read_bytes()
    if kind.__name__ != "mutant":
        with pytest.raises((BundleCorruptError, BundleUnsafeError), match=r"^m\.onnx: "):
            Room.checked(data, "m.onnx", TEXTS)


@pytest.mark.parametrize(
    "data",
    [
        b"\xba\x80\x80\x80\x10\x01x",  # a tag of more than 32 bits
        b"\xba\x00\x01x",  # a tag in more bytes than it needs
        b"\x3a\x81\x00x",  # a length in more bytes than it needs
        b"\x3b\x3c",  # a group
        b"\x08" + b"\xff" * 9 + b"\x7f",  # more than 64 bits
        b"\x3a\xff\xff\xff\xff\x0f",  # 4 GB
    ],
)
def test_an_encoding_that_no_writer_makes_is_refused(data):
    with pytest.raises((ValueError, IndexError)):
        list(read_fields(memoryview(data)))


def test_a_field_that_counts_once_is_there_once():
    twice = memoryview(b"\x08\x01\x08\x02")
    assert read_message(twice, ()) == {1: [1, 2]}
    with pytest.raises(ValueError, match="twice"):
        read_message(twice, (1,))


def test_a_size_that_depends_on_the_text_has_no_bound_unless_it_counts_truths(own_bundle):
    nodes = [
        node("Cast", ["attention_mask"], ["b"], to=TensorProto.BOOL),
        node("Not", ["b"], ["truths"]),
        node("Cast", ["truths"], ["numbers"], to=TensorProto.INT64),
        node("ReduceSum", ["numbers"], ["counted"], keepdims=0),
        node("Reshape", ["counted", "flat"], ["shape"]),
        node("ConstantOfShape", ["shape"], ["big"]),
        node("ReduceSum", ["big"], ["s"], keepdims=0),
    ]
    put_graph(own_bundle, nodes, [ints("flat", [1])])
    Room.checked((own_bundle / "fp32.onnx").read_bytes(), "m", TEXTS)
    nodes[2] = node("Identity", ["input_ids"], ["numbers"])
    put_graph(own_bundle, nodes, [ints("flat", [1])])
    with pytest.raises(BundleUnsafeError, match="depends on the text, so it has no bound"):
        Room.checked((own_bundle / "fp32.onnx").read_bytes(), "m", TEXTS)


def square(folder):
    """A graph of the text's length times itself."""
    nodes = [
        node("Cast", ["input_ids"], ["x"], to=TensorProto.FLOAT),
        node("Transpose", ["x"], ["y"], perm=[1, 0]),
        node("Add", ["x", "y"], ["big"]),
        node("ReduceMax", ["big"], ["s"], keepdims=0),
    ]
    put_graph(folder, nodes)
    return (folder / "fp32.onnx").read_bytes()


def test_a_run_that_the_machine_has_no_memory_for_is_refused_before_it(own_bundle):
    room = Room.checked(square(own_bundle), "m", Expected.texts(1 << 20, static=False))
    room.admit((1, 1000), lambda: 1 << 30)
    room.admit((1, 50_000), lambda: None)  # a system that does not say
    with pytest.raises(InferenceError, match=r"1 x 100000 tokens: they take about 65,\d+ MB"):
        room.admit((1, 100_000), lambda: 1 << 30)
    with pytest.raises(InferenceError, match="cannot run"):
        Room.checked(_of_three_rows(own_bundle), "m", TEXTS).admit((5, 3), lambda: 1)


def _of_three_rows(folder):
    nodes = [
        node("Cast", ["input_ids"], ["x"], to=TensorProto.FLOAT),
        node("Mul", ["x", "three"], ["y"]),
        node("ReduceMax", ["y"], ["s"], keepdims=0),
    ]
    put_graph(folder, nodes, [floats("three", [[1], [1], [1]])])
    return (folder / "fp32.onnx").read_bytes()


def test_a_memory_limit_refuses_before_the_model_is_loaded(own_bundle, monkeypatch):
    square(own_bundle)
    tiny_bundle.edit_manifest(
        own_bundle, lambda tree: tree["towers"]["text"].update(max_tokens=100_000)
    )
    monkeypatch.setattr("onnxruntime.InferenceSession", None)
    with pytest.raises(InputError, match=r"max_memory_mb: expected at least \d+ .*got 50"):
        Encoder.load(own_bundle, max_memory_mb=50)


def test_constants_have_the_bytes_that_their_shapes_say():
    for dims, raw in (([2**62, 4], b"\0" * 16), ([-4], b"\0" * 16), ([4], b"\0" * 15)):
        tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=raw)
        model = tiny_bundle.graph(tiny_bundle.table())
        model.graph.initializer.append(tensor)
        with pytest.raises(ValueError, match="expected the values of a shape"):
            read_graph(model.SerializeToString())


def test_constants_in_fields_of_their_type_are_read():
    values = [
        helper.make_tensor("a", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0]),
        helper.make_tensor("b", TensorProto.INT64, [2], [-1, 2**40]),
        helper.make_tensor("c", TensorProto.BOOL, [2], [True, False]),
        numpy_helper.from_array(np.zeros((0, 4), np.float32), "d"),
    ]
    model = tiny_bundle.graph(tiny_bundle.table())
    model.graph.initializer.extend(values)
    constants = read_graph(model.SerializeToString()).constants
    for tensor in values:
        found = constants[tensor.name].values
        assert found is not None
        np.testing.assert_array_equal(found, numpy_helper.to_array(tensor))
