"""Scales of channels in the weights that make them: the same graph, or none of it changed."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeembed_converters.quantization.integer.fold_scale import ScaleFolder

WIDTH = 8
FACTORS = np.linspace(0.5, 2, WIDTH).astype(np.float32)
RNG = np.random.default_rng(0)


def weight(*shape):
    return RNG.uniform(-0.5, 0.5, shape).astype(np.float32)


def model(nodes, arrays, outputs):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "test",
        [value("x", TensorProto.FLOAT, [1, None, WIDTH])],
        [value(name, TensorProto.FLOAT, [1, None, WIDTH]) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def normalized(outputs=("y",)):
    nodes = [
        helper.make_node("LayerNormalization", ["x", "scale", "shift"], ["found"]),
        helper.make_node("Tanh", ["found"], ["y"]),
    ]
    return model(nodes, {"scale": weight(WIDTH), "shift": weight(WIDTH)}, outputs)


def attention(bias_users=("biased",)):
    """Query, key and value of one product, and heads that mix values."""
    arrays = {
        "w": weight(WIDTH, 3 * WIDTH),
        "b": weight(3 * WIDTH),
        "sizes": np.full(3, WIDTH, np.int64),
    }
    nodes = [helper.make_node("MatMul", ["x", "w"], ["product"])]
    nodes += [helper.make_node("Add", ["b", "product"], [name]) for name in bias_users]
    nodes += [
        helper.make_node("Split", ["biased", "sizes"], ["q", "k", "v"], axis=-1),
        helper.make_node(
            "MultiHeadAttention", ["q", "k", "v"], ["found"], domain="com.microsoft", num_heads=2
        ),
        helper.make_node("Tanh", ["found"], ["y"]),
    ]
    return model(nodes, arrays, ["y"])


def run(made, x):
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["y"], {"x": x})[0])


@pytest.mark.parametrize("make", [normalized, attention])
def test_what_is_folded_multiplies_the_value(make):
    made = make()
    x = weight(1, 5, WIDTH)
    before = np.arctanh(run(made, x).astype(np.float64))
    assert ScaleFolder(made.graph).fold("found", FACTORS)
    after = np.arctanh(run(made, x).astype(np.float64))
    np.testing.assert_allclose(after, before * FACTORS, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "made",
    [
        normalized(outputs=("y", "found")),  # somebody else reads the value
        attention(bias_users=("biased", "other")),  # or the weights
        model([helper.make_node("Tanh", ["x"], ["y"])], {}, ["y"]),  # or there are none
    ],
)
def test_what_others_read_is_left_alone(made):
    before = made.SerializeToString(deterministic=True)
    assert not ScaleFolder(made.graph).fold("found", FACTORS)
    assert made.SerializeToString(deterministic=True) == before
    onnx.checker.check_model(made)
