"""Layers in integers: what onnxruntime makes of them, and attention with its projections."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from edgeembed_converters.graph.linears import weight_matrices
from edgeembed_converters.quantization.integer.layers import with_integer_layers
from edgeembed_converters.quantization.integer.projected_attention import projected_attentions
from edgeembed_converters.quantization.integer.rounding import rounded_weight
from edgeembed_converters.quantization.trial.bits import LEVELS, Bits, max_exact_bits

WIDTH, HEADS, TOKENS = 32, 4, 9
# Seven bits, which every processor multiplies exactly, round twice as coarsely as eight.
COARSER = LEVELS[8] / LEVELS[max_exact_bits()]
X = np.random.default_rng(9).standard_normal((1, TOKENS, WIDTH)).astype(np.float32)


def model_of(nodes, weights):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "layers",
        [value("x", onnx.TensorProto.FLOAT, ["batch", "tokens", WIDTH])],
        [value("y", onnx.TensorProto.FLOAT, ["batch", "tokens", WIDTH])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def run(model, optimized=None):
    options = ort.SessionOptions()
    if optimized:
        options.optimized_model_filepath = str(optimized)
        options.log_severity_level = 3
    data = model.SerializeToString()
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": X})[0])


def integers(model, bits: Bits | None = None):
    bits = bits or max_exact_bits()
    weights = {
        name: rounded_weight(numpy_helper.to_array(matrix.tensor), None, bits)
        for name, matrix in weight_matrices(model.graph).items()
    }
    return with_integer_layers(model, weights)


def kinds(model):
    return [node.op_type for node in model.graph.node]


def matrix(seed, out=WIDTH):
    return (np.random.default_rng(seed).standard_normal((WIDTH, out)) / 6).astype(np.float32)


def attention(scale=0.3, sizes=(WIDTH,) * 3, order=("q", "k", "v"), extra=()):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Add", ["product", "b"], ["sum"]),
        helper.make_node("Split", ["sum", "sizes"], ["q", "k", "v"], axis=-1),
        helper.make_node(
            "MultiHeadAttention", order, ["y"], domain="com.microsoft", num_heads=HEADS, scale=scale
        ),
        *extra,
    ]
    bias = np.random.default_rng(2).standard_normal(3 * WIDTH).astype(np.float32)
    weights = {"w": matrix(1, 3 * WIDTH), "b": bias, "sizes": np.array(sizes, np.int64)}
    return model_of(nodes, weights)


@pytest.mark.parametrize("bits", [7, 8])
def test_a_layer_is_near_the_original_and_one_operator_of_onnxruntime(bits, tmp_path):
    model = model_of([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": matrix(0)})
    before = model.SerializeToString()
    made = integers(model, bits)
    assert model.SerializeToString() == before
    onnx.checker.check_model(made)
    found, expected = run(made, tmp_path / "optimized.onnx"), run(model)
    if bits <= max_exact_bits():  # wider ones saturate
        assert 0 < np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    assert kinds(onnx.load(tmp_path / "optimized.onnx")) == ["DynamicQuantizeMatMul"]
    assert [tensor.name for tensor in made.graph.initializer] == ["w.levels", "w.scales"]


def test_layers_of_one_input_round_it_once():
    nodes = [
        helper.make_node("MatMul", ["x", "v"], ["a"]),
        helper.make_node("MatMul", ["x", "w"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    made = integers(model_of(nodes, {"v": matrix(0), "w": matrix(1)}))
    assert kinds(made).count("DynamicQuantizeLinear") == 1
    assert kinds(made).count("MatMulInteger") == 2


def test_weights_of_several_layers_are_kept_once():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["y"]),
    ]
    model = model_of(nodes, {"w": matrix(0)})
    made = integers(model)
    assert kinds(made).count("MatMulInteger") == 2
    assert len(made.graph.initializer) == 2
    np.testing.assert_allclose(run(made), run(model), atol=0.05 * COARSER)


@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0])
def test_attention_takes_its_projections_along(scale):
    model = attention(scale)
    made = integers(model)
    assert kinds(made) == ["DynamicQuantizeLinear", "QAttention"]
    np.testing.assert_allclose(run(made), run(model), atol=0.1 * COARSER)


def test_attention_with_its_projections_gives_what_both_alone_give():
    model = attention()
    apart = attention(extra=[helper.make_node("Identity", ["q"], ["seen"])])
    apart.graph.output.append(helper.make_tensor_value_info("seen", onnx.TensorProto.FLOAT, None))
    assert kinds(integers(apart)).count("MatMulInteger") == 1
    np.testing.assert_allclose(run(integers(model)), run(integers(apart)), atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        attention(order=("k", "q", "v")),
        attention(sizes=(WIDTH, WIDTH // 2, WIDTH * 3 // 2)),
        attention(extra=[helper.make_node("Relu", ["sum"], ["read"])]),
        attention(extra=[helper.make_node("Relu", ["q"], ["read"])]),
    ],
    ids=["another order", "other sizes", "a sum that others read", "queries that others read"],
)
def test_attention_of_another_form_stays(model):
    assert list(projected_attentions(model.graph)) == []
