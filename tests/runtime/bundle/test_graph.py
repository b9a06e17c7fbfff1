"""What an ONNX file may hold: hostile and damaged graphs never reach onnxruntime."""

import hashlib
import json
import random
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from edgeembed_runtime.bundle.graph import check_graph
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import (
    BundleCorruptError,
    BundleError,
    BundleUnsafeError,
    InferenceError,
)
from helpers import tiny_bundle


@pytest.fixture
def model():
    return tiny_bundle.graph(tiny_bundle.table())


def with_node(model, *nodes):
    model.graph.node.extend(nodes)
    return model


def external_tensor(location="../../etc/passwd"):
    tensor = numpy_helper.from_array(np.zeros((2, 2), np.float32), "outside")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def attribute(name, **fields):
    return AttributeProto(name=name, **fields)


def constant(tensor):
    node = helper.make_node("Constant", [], ["c"])
    node.attribute.append(attribute("value", type=AttributeProto.TENSOR, t=tensor))
    return node


def subgraph(*nodes, initializers=()):
    return helper.make_graph(list(nodes), "inner", [], [], list(initializers))


def branch(graph):
    return helper.make_node("If", ["c"], ["d"], then_branch=graph, else_branch=subgraph())


def external_initializer(model):
    model.graph.initializer.append(external_tensor())


def external_location_without_a_path(model):
    tensor = external_tensor()
    tensor.ClearField("external_data")
    model.graph.initializer.append(tensor)


def external_path_without_a_location(model):
    tensor = external_tensor()
    tensor.ClearField("data_location")
    model.graph.initializer.append(tensor)


def external_constant(model):
    with_node(model, constant(external_tensor("weights.bin")))


def external_in_a_list_attribute(model):
    node = helper.make_node("Constant", [], ["c"])
    tensors = [external_tensor()]
    node.attribute.append(attribute("values", type=AttributeProto.TENSORS, tensors=tensors))
    with_node(model, node)


def external_in_a_branch(model):
    with_node(model, branch(subgraph(initializers=[external_tensor()])))


def external_sparse(model):
    sparse = helper.make_sparse_tensor(
        external_tensor(), numpy_helper.from_array(np.array([0], np.int64)), [2]
    )
    model.graph.sparse_initializer.append(sparse)


def external_sparse_constant(model):
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(np.zeros(1, np.float32)), external_tensor(), [2]
    )
    node = helper.make_node("Constant", [], ["c"])
    kind = AttributeProto.SPARSE_TENSOR
    node.attribute.append(attribute("sparse_value", type=kind, sparse_tensor=sparse))
    with_node(model, node)


def foreign_domain(model):
    with_node(model, helper.make_node("Evil", ["x"], ["y"], domain="evil.corp"))


def foreign_domain_in_a_branch(model):
    inner = helper.make_node("Evil", ["x"], ["y"], domain="ai.onnx.contrib")
    with_node(model, branch(subgraph(branch(subgraph(inner)))))


def foreign_domain_in_a_list_of_graphs(model):
    inner = subgraph(helper.make_node("Evil", ["x"], ["y"], domain="evil.corp"))
    node = helper.make_node("Loop", ["c"], ["d"])
    node.attribute.append(attribute("bodies", type=AttributeProto.GRAPHS, graphs=[inner]))
    with_node(model, node)


def local_function(model):
    node = helper.make_node("Relu", ["x"], ["y"])
    opset = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("", "Mine", ["x"], ["y"], [node], opset))


def context_of_a_device(model):
    with_node(model, helper.make_node("EPContext", [], ["y"], domain="com.microsoft"))


def python_operator(model):
    with_node(model, helper.make_node("PyOp", [], ["y"], domain="com.microsoft"))


def graphs_without_end(model):
    graph = subgraph()
    for _ in range(20):
        graph = subgraph(branch(graph))
    with_node(model, branch(graph))


HOSTILE = [
    (external_initializer, "external data"),
    (external_location_without_a_path, "external data"),
    (external_path_without_a_location, "external data"),
    (external_constant, "external data"),
    (external_in_a_list_attribute, "expected attributes of numbers"),
    (external_in_a_branch, "got a graph"),
    (external_sparse, "sparse"),
    (external_sparse_constant, "expected attributes of numbers"),
    (foreign_domain, "domain 'evil.corp'"),
    (foreign_domain_in_a_branch, "got a graph"),
    (foreign_domain_in_a_list_of_graphs, "got a graph"),
    (local_function, "expected no functions"),
    (context_of_a_device, "EPContext"),
    (python_operator, "PyOp"),
    (graphs_without_end, "got a graph"),
]


@pytest.mark.parametrize(("do", "message"), HOSTILE, ids=[do.__name__ for do, _ in HOSTILE])
def test_a_hostile_graph_is_unsafe(model, do, message):
    check_graph(model.SerializeToString(), "m.onnx")
    do(model)
    with pytest.raises(BundleUnsafeError, match=rf"m\.onnx: .*{message}"):
        check_graph(model.SerializeToString(), "m.onnx")


def test_loading_a_bundle_with_a_hostile_graph_is_refused(own_bundle, model):
    external_initializer(model)
    tiny_bundle.put_file(own_bundle, "fp32.onnx", model.SerializeToString())
    with pytest.raises(BundleUnsafeError, match=r"fp32\.onnx: .*external data"):
        Encoder.load(own_bundle, variant="fp32")


def test_operators_of_microsoft_and_of_both_names_of_onnx_are_allowed(model):
    domains = ("", "ai.onnx", "com.microsoft")
    gelu = partial(helper.make_node, "Gelu", ["mean"])
    with_node(model, *(gelu([f"y{place}"], domain=d) for place, d in enumerate(domains)))
    check_graph(model.SerializeToString(), "m.onnx")


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"PK\x03\x04" * 10, b"hello", b"\x80" * 100, b"\x3a\xff\xff\xff\xff\x0f"]
)
def test_bytes_that_are_no_model_are_damage(data):
    with pytest.raises(BundleCorruptError, match="expected an ONNX model"):
        check_graph(data, "m.onnx")


def test_two_graphs_in_one_file_are_damage(model):
    second = ModelProto(graph=model.graph).SerializeToString()
    with pytest.raises(BundleCorruptError, match="one graph, found 2"):
        check_graph(model.SerializeToString() + second, "m.onnx")


@given(st.binary(max_size=300))
def test_random_bytes_raise_a_bundle_error_or_pass(data):
    try:
        check_graph(data, "m.onnx")
    except BundleError as error:
        assert str(error).startswith("m.onnx: ")


def mutant(data, seed):
    """Bytes flipped, cut out, doubled or put in, by a seeded die."""
    die = random.Random(seed)
    changed = bytearray(data)
    for _ in range(die.randint(1, 4)):
        at = die.randrange(len(changed))
        size = die.randint(1, 40)
        match die.randrange(4):
            case 0:
                changed[at] ^= 1 << die.randrange(8)
            case 1:
                del changed[at : at + size]
            case 2:
                changed[at:at] = changed[at : at + size]
            case _:
                changed[at:at] = die.randbytes(size)
    return bytes(changed)


def test_500_mutants_of_a_real_graph_raise_bundle_errors_or_pass():
    small, scale = tiny_bundle.quantized(tiny_bundle.table(8))
    data = tiny_bundle.graph(small, scale).SerializeToString()
    outcomes = set()
    for seed in range(500):
        try:
            check_graph(mutant(data, seed), "m.onnx")
        except BundleError as error:
            outcomes.add(type(error))
        else:
            outcomes.add(None)
    assert {None, BundleCorruptError, BundleUnsafeError} >= outcomes >= {None, BundleCorruptError}


def test_mutants_that_pass_the_check_load_and_run_or_raise_our_errors(own_bundle):
    small, scale = tiny_bundle.quantized(tiny_bundle.table())
    data = tiny_bundle.graph(small, scale).SerializeToString()
    ran = 0
    for seed in range(60):
        # The table is most of the file and cannot break anything; damage what is around it.
        table = small.tobytes()
        around = mutant(data.replace(table, b"", 1), seed)
        tiny_bundle.put_file(own_bundle, "int8.onnx", around)
        try:
            with Encoder.load(own_bundle, variant="int8") as encoder:
                encoder.encode("cat")
                ran += 1
        except (BundleError, InferenceError):
            continue
    assert ran < 60


def test_a_model_of_another_dim_than_the_manifest_says_is_damage(own_bundle):
    data = tiny_bundle.graph(tiny_bundle.table(24)).SerializeToString()
    tiny_bundle.put_file(own_bundle, "fp32.onnx", data)
    with pytest.raises(BundleCorruptError, match=r"shape \(n, 16\), found .*24"):
        Encoder.load(own_bundle, variant="fp32")


def test_a_model_with_other_inputs_is_damage(own_bundle):
    graph = tiny_bundle.graph(tiny_bundle.table(), inputs=("ids", "attention_mask"))
    tiny_bundle.put_file(own_bundle, "fp32.onnx", graph.SerializeToString())
    with pytest.raises(BundleCorruptError, match=r"expected the inputs .*found ids, attention"):
        Encoder.load(own_bundle, variant="fp32")


def output_of_shape(shape, *, name="embedding"):
    """A graph whose one output is a constant of this shape."""
    value = numpy_helper.from_array(np.ones(shape, np.float32), "v")
    nodes = [
        helper.make_node("Constant", [], ["c"], value=value),
        helper.make_node("Identity", ["c"], [name]),
    ]
    info = helper.make_tensor_value_info
    inputs = [info(n, TensorProto.INT64, ["n", "t"]) for n in ("input_ids", "attention_mask")]
    return helper.make_model(
        helper.make_graph(nodes, "g", inputs, [info(name, TensorProto.FLOAT, shape)]),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )


@pytest.mark.parametrize("shape", [(), (16,), (1, 1, 16), (16, 1)])
def test_an_output_that_is_no_list_of_vectors_is_damage(own_bundle, shape):
    tiny_bundle.put_file(own_bundle, "fp32.onnx", output_of_shape(shape).SerializeToString())
    with pytest.raises(BundleCorruptError, match="expected an output embedding of shape"):
        Encoder.load(own_bundle, variant="fp32")


def test_a_model_without_the_output_is_damage_and_its_outputs_are_named(own_bundle):
    graph = output_of_shape((1, 16), name="pooled")
    tiny_bundle.put_file(own_bundle, "fp32.onnx", graph.SerializeToString())
    with pytest.raises(BundleCorruptError, match=r"expected an output embedding.*pooled"):
        Encoder.load(own_bundle, variant="fp32")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_model_that_returns_no_number_is_an_inference_error(own_bundle, bad):
    values = tiny_bundle.table()
    values[:] = bad
    graph = tiny_bundle.graph(values)
    tiny_bundle.put_file(own_bundle, "fp32.onnx", graph.SerializeToString())
    with (
        Encoder.load(own_bundle, variant="fp32") as encoder,
        pytest.raises(InferenceError, match=r"NaN or infinite"),
    ):
        encoder.encode("cat")


def test_a_token_beyond_the_model_s_table_is_an_inference_error(own_bundle):
    graph = tiny_bundle.graph(tiny_bundle.table()[:5])
    tiny_bundle.put_file(own_bundle, "fp32.onnx", graph.SerializeToString())
    with (
        Encoder.load(own_bundle, variant="fp32") as encoder,
        pytest.raises(InferenceError, match="expected token ids below 5"),
    ):
        encoder.encode(["cat", "dog"])


GOLDEN = {"texts": ["a"], "dim": 16, "vectors": "A" * 85 + "="}


@pytest.mark.parametrize(
    "golden",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"[" * 100_000,
        {**GOLDEN, "texts": []},
        {**GOLDEN, "texts": "a"},
        {**GOLDEN, "texts": [1]},
        {**GOLDEN, "texts": 5},
        {**GOLDEN, "texts": ["a", "b"]},
        {**GOLDEN, "dim": 1e400},
        {**GOLDEN, "dim": 10**30},
        {**GOLDEN, "dim": 8},
        {**GOLDEN, "dim": None},
        {**GOLDEN, "vectors": "AAAA"},
        {**GOLDEN, "vectors": "!!!!"},
        {**GOLDEN, "vectors": "é"},
        {**GOLDEN, "vectors": None},
        {"texts": ["a"], "dim": 1, "vectors": "AADAfw=="},
        {},
    ],
    ids=lambda golden: repr(golden)[:60],
)
def test_golden_vectors_that_cannot_be_read_are_damage(own_bundle, golden):
    data = golden if isinstance(golden, bytes) else json.dumps(golden).encode()
    tiny_bundle.put_file(own_bundle, "golden.json", data)
    with (
        Encoder.load(own_bundle, variant="fp32") as encoder,
        pytest.raises(BundleCorruptError, match=r"golden\.json"),
    ):
        encoder.self_test()


def test_golden_vectors_of_another_dim_are_damage(own_bundle, tmp_path):
    other = tiny_bundle.write_tiny_bundle(tmp_path / "other", dim=8)
    data = (other / "golden.json").read_bytes()
    tiny_bundle.put_file(own_bundle, "golden.json", data)
    with (
        Encoder.load(own_bundle, variant="fp32") as encoder,
        pytest.raises(BundleCorruptError, match="expected vectors of dimension 16, found 8"),
    ):
        encoder.self_test()


def test_a_graph_s_bytes_are_hashed_before_they_are_parsed(own_bundle):
    # The manifest states the right hash of a wrong file: then the parser has to find it.
    garbage = b"\x08\x08" + b"garbage" * 20
    (own_bundle / "fp32.onnx").write_bytes(garbage)
    with pytest.raises(BundleCorruptError, match="missing or damaged"):
        Encoder.load(own_bundle, variant="fp32")
    tiny_bundle.put_file(own_bundle, "fp32.onnx", garbage)
    with pytest.raises(BundleCorruptError, match="expected an ONNX model"):
        Encoder.load(own_bundle, variant="fp32")
    assert hashlib.sha256(garbage).hexdigest() in (own_bundle / "edgeembed.json").read_text()
