"""Edits of exported graphs: merged linear layers compute the same, names never clash."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgeembed_converters.graph.cleanup import clean_graph, drop_input, rename_output
from edgeembed_converters.graph.merge_linears import merge_linears
from edgeembed_runtime.errors import ExportError


class Graph:
    """Builds a small ONNX model of (n, t, h) tensors."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.outputs = [], [], []

    def weight(self, name, *shape):
        values = self.random.normal(size=shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def linear(self, name, source, weight, bias=None, bias_first=False):
        product = f"{name}.product" if bias else name
        self.nodes.append(helper.make_node("MatMul", [source, weight], [product]))
        if bias:
            terms = [bias, product] if bias_first else [product, bias]
            self.nodes.append(helper.make_node("Add", terms, [name]))
        self.outputs.append(name)

    def node(self, kind, inputs, output):
        self.nodes.append(helper.make_node(kind, inputs, [output]))
        self.outputs.append(output)

    def model(self, width):
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "test",
            [value("x", TensorProto.FLOAT, ["n", "t", width])],
            [value(name, TensorProto.FLOAT, ["n", "t", None]) for name in self.outputs],
            self.weights,
        )
        opsets = [helper.make_opsetid("", 20)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def run(model, x):
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, map(np.asarray, session.run(None, {"x": x})), strict=True))


def kinds(model):
    return [node.op_type for node in model.graph.node]


widths = st.integers(1, 7)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    width=widths,
    outs=st.lists(widths, min_size=3, max_size=3),
    bias_first=st.booleans(),
)
def test_merged_graph_computes_the_same(seed, width, outs, bias_first):
    g = Graph(seed)
    for name, out in zip("qkv", outs, strict=True):
        weight = g.weight(f"{name}.w", width, out)
        bias = g.weight(f"{name}.b", out)
        g.linear(name, "x", weight, bias, bias_first)
        if name == "q":  # a user of the first stands before the others
            g.node("Tanh", ["q"], "q.tanh")
    shared, bias = g.weight("shared.w", width, 3), g.weight("shared.b", 3)
    g.linear("shared.1", "x", shared, bias)
    g.linear("shared.2", "x", shared, bias)
    g.linear("bare", "x", g.weight("bare.w", width, 2))
    g.linear("later", "q.tanh", g.weight("later.w", outs[0], 4), g.weight("later.b", 4))
    before = g.model(width)
    after = merge_linears(onnx.ModelProto.FromString(before.SerializeToString()))

    x = g.random.normal(size=(2, 3, width)).astype(np.float32)
    expected, found = run(before, x), run(after, x)
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-6, err_msg=name)

    assert kinds(before).count("MatMul") == 7
    assert kinds(after).count("MatMul") == 5  # three became one; the shared, bare and later stay
    assert kinds(after).count("Split") == 1
    names = {tensor.name for tensor in after.graph.initializer}
    assert "shared.w" in names
    assert not names & {"q.w", "k.w", "v.w", "q.b", "k.b", "v.b"}


def test_two_groups_that_share_a_bias():
    g = Graph(0)
    bias = g.weight("bias", 4)
    for source, name in (("x", "a"), ("x", "b"), ("a", "c"), ("a", "d")):
        g.linear(name, source, g.weight(f"{name}.w", 4, 4), bias)
    before = g.model(4)
    after = merge_linears(onnx.ModelProto.FromString(before.SerializeToString()))
    x = g.random.normal(size=(1, 5, 4)).astype(np.float32)
    expected, found = run(before, x), run(after, x)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-5)
    assert kinds(after).count("MatMul") == 2


def test_nothing_to_merge_changes_nothing():
    g = Graph(0)
    g.linear("a", "x", g.weight("w", 4, 4), g.weight("b", 4))
    model = g.model(4)
    before = model.SerializeToString(deterministic=True)
    assert merge_linears(model).SerializeToString(deterministic=True) == before


def test_renamed_output_takes_the_name_from_a_value_inside():
    g = Graph(0)
    g.node("Tanh", ["x"], "embedding")
    g.node("Neg", ["embedding"], "raw")
    g.outputs = ["raw"]
    model = g.model(4)
    x = g.random.normal(size=(1, 2, 4)).astype(np.float32)
    expected = run(model, x)["raw"]
    found = run(rename_output(model, "raw", "embedding"), x)
    assert list(found) == ["embedding"]
    np.testing.assert_array_equal(found["embedding"], expected)


def test_dropped_input_counts_as_zeros():
    g = Graph(0)
    g.node("Add", ["x", "extra"], "y")
    model = g.model(4)
    model.graph.input.append(
        helper.make_tensor_value_info("extra", TensorProto.FLOAT, ["n", "t", 4])
    )
    x = g.random.normal(size=(1, 2, 4)).astype(np.float32)
    found = run(drop_input(model, "extra", "x"), x)
    np.testing.assert_array_equal(found["y"], x)
    with pytest.raises(ExportError, match="no input extra"):
        drop_input(model, "extra", "x")


def test_notes_of_the_exporter_are_dropped():
    g = Graph(0)
    g.node("Tanh", ["x"], "y")
    model = g.model(4)
    secret = "somebody's folder"
    model.doc_string = model.graph.doc_string = model.producer_name = secret
    model.graph.node[0].doc_string = secret
    for item in (model, model.graph, model.graph.node[0], model.graph.output[0]):
        item.metadata_props.add(key="stack_trace", value=secret)
    assert secret.encode() not in clean_graph(model).SerializeToString()
