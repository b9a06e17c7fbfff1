"""Weights of a whole model: rounded for the inputs of all layers that share them, and only once."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeembed_converters.quantization.integer import weights as module
from edgeembed_converters.quantization.integer.activations import measured_activations
from edgeembed_converters.quantization.integer.rounding import rounded_weight
from edgeembed_converters.quantization.integer.smoothing import Smoothed, smoothed
from edgeembed_converters.quantization.integer.weights import WeightRounder

WIDTH = 16
FEEDS = [
    {"x": np.random.default_rng(n).standard_normal((1, 5 + n, WIDTH)).astype(np.float32)}
    for n in range(9)
]


@pytest.fixture
def model():
    """Two layers that share their weights, and one of its own."""
    rng = np.random.default_rng(0)
    arrays = {n: rng.standard_normal((WIDTH, WIDTH)).astype(np.float32) for n in ("shared", "own")}
    nodes = [
        helper.make_node("MatMul", ["x", "shared"], ["a"]),
        helper.make_node("Tanh", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "shared"], ["c"]),
        helper.make_node("MatMul", ["c", "own"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "shared",
        [value("x", onnx.TensorProto.FLOAT, ["batch", "tokens", WIDTH])],
        [value("y", onnx.TensorProto.FLOAT, ["batch", "tokens", WIDTH])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def array(model, name):
    return next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == name)


def test_shared_weights_are_rounded_for_the_inputs_of_all_layers(model):
    found = measured_activations(model, FEEDS)
    made = WeightRounder(model, found).integer_weights(Smoothed(model=model, scales={}), 8)
    first, second = found["x"].gram, found["b"].gram
    assert first is not None
    assert second is not None
    expected = rounded_weight(array(model, "shared"), first + second, 8)
    np.testing.assert_array_equal(made["shared"].levels, expected.levels)
    assert set(made) == {"shared", "own"}


def test_smoothed_weights_are_rounded_for_smoothed_inputs(model):
    found = measured_activations(model, FEEDS)
    copy = smoothed(model, {name: each.maxima for name, each in found.items()}, {"y": 0.75})
    made = WeightRounder(model, found).integer_weights(copy, 8)
    inner = measured_activations(copy.model, FEEDS)
    (name,) = inner.keys() - found.keys()
    expected = rounded_weight(array(copy.model, "own"), inner[name].gram, 8)
    assert (made["own"].levels != expected.levels).mean() < 0.01  # but for the last digits


def test_nothing_is_rounded_twice(model, monkeypatch):
    calls = []

    def counted(weight, gram, bits):
        calls.append(bits)
        return rounded_weight(weight, gram, bits)

    monkeypatch.setattr(module, "rounded_weight", counted)
    rounder = WeightRounder(model, measured_activations(model, FEEDS))
    for bits in (8, 8, 7):
        rounder.integer_weights(Smoothed(model=model, scales={}), bits)
    assert calls == [8, 8, 7, 7]
