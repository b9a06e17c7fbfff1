"""SmoothQuant and row-wise embeddings: the same function in fp32, and closer to it in int8."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from edgeembed_converters.quantization.integer.activations import measured_activations
from edgeembed_converters.quantization.integer.embedding_rows import quantize_embedding_rows
from edgeembed_converters.quantization.integer.smoothing import smoothed
from edgeembed_converters.quantization.trial.calibration import calibration_texts, token_ids
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

WIDTH, ROWS = 32, 100
LAYERS = ("hidden", "token_embeddings")
IDS = [np.random.default_rng(n).integers(0, ROWS, 6 + n) for n in range(8)]
FEEDS = [{"input_ids": ids[None], "attention_mask": np.ones_like(ids[None])} for ids in IDS]


@pytest.fixture(scope="module")
def model():
    """A table, two channels that become outliers, a layer, a ReLU, and another layer."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((ROWS, WIDTH)).astype(np.float32)
    table[5] *= 30
    outliers = np.ones(WIDTH, np.float32)
    outliers[[3, 17]] = 100
    weights = [rng.standard_normal((WIDTH, WIDTH)).astype(np.float32) for _ in range(2)]
    weights[0][[3, 17]] /= 100
    arrays = {"table": table, "outliers": outliers, "first": weights[0], "second": weights[1]}
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["row"]),
        helper.make_node("Mul", ["row", "outliers"], ["found"]),
        helper.make_node("MatMul", ["found", "first"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("MatMul", ["active", "second"], ["token_embeddings"]),
    ]
    axes = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.INT64, axes)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("token_embeddings", onnx.TensorProto.FLOAT, [*axes, WIDTH])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def outputs(model):
    data = model if isinstance(model, bytes) else model.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return [np.asarray(session.run(["token_embeddings"], each)[0])[0] for each in FEEDS]


def error(model, expected):
    found = outputs(model)
    return np.mean(
        [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(found, expected, strict=True)]
    )


def maxima_of(model):
    return {name: found.maxima for name, found in measured_activations(model, FEEDS).items()}


def test_activations_are_those_of_all_inputs(model):
    found = measured_activations(model, FEEDS)
    table = numpy_helper.to_array(model.graph.initializer[0])
    outliers = numpy_helper.to_array(model.graph.initializer[1])
    expected = np.concatenate([table[ids] * outliers for ids in IDS])
    np.testing.assert_allclose(found["found"].maxima, np.abs(expected).max(axis=0))
    gram = found["found"].gram
    assert gram is not None
    np.testing.assert_allclose(gram, expected.T @ expected, rtol=1e-4, atol=0.1)
    assert set(found) == {"found", "active"}


@pytest.mark.parametrize("strength", [0.0, 0.5, 0.75, 1.0])
def test_a_smoothed_model_is_the_same_function(model, strength):
    before = model.SerializeToString()
    copy = smoothed(model, maxima_of(model), dict.fromkeys(LAYERS, strength)).model
    assert error(copy, outputs(model)) < 1e-6
    assert model.SerializeToString() == before  # the original is not touched


def test_scales_are_what_inputs_are_divided_by(model):
    made = smoothed(model, maxima_of(model), {"hidden": 0.75})
    before, after = (
        numpy_helper.to_array(next(t for t in each.graph.initializer if t.name == "first"))
        for each in (model, made.model)
    )
    assert set(made.scales) == {"first"}
    np.testing.assert_allclose(after, before * made.scales["first"][:, None], rtol=1e-6)


def test_layers_that_are_not_named_stay_as_they_are(model):
    copy = smoothed(model, maxima_of(model), {"hidden": 0.75}).model
    before, after = (
        {tensor.name: numpy_helper.to_array(tensor) for tensor in each.graph.initializer}
        for each in (model, copy)
    )
    assert (before["first"] != after["first"]).any()
    np.testing.assert_array_equal(before["second"], after["second"])


def test_channels_that_are_always_zero_do_no_harm(model):
    maxima = maxima_of(model)
    maxima["found"][:] = 0
    copy = smoothed(model, maxima, dict.fromkeys(LAYERS, 0.75)).model
    assert error(copy, outputs(model)) < 1e-6


def test_embeddings_have_a_scale_for_every_row(model):
    expected = outputs(model)
    copy = quantize_embedding_rows(model)
    names = {tensor.name: tensor for tensor in copy.graph.initializer}
    assert "table" not in names
    rows, scales = (numpy_helper.to_array(names[f"table.{n}"]) for n in ("rows", "scales"))
    assert rows.dtype == np.int8
    table = numpy_helper.to_array(model.graph.initializer[0])
    assert (np.abs(rows * scales - table) <= scales / 2 + 1e-6).all()
    assert error(copy, expected) < 0.02
    onnx.checker.check_model(copy)


def test_small_tables_and_other_axes_stay_as_they_are(model):
    few = onnx.ModelProto()
    few.CopyFrom(model)
    few.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(np.zeros((8, WIDTH), np.float32), "table")
    )
    other = onnx.ModelProto()
    other.CopyFrom(model)
    other.graph.node[0].attribute.append(helper.make_attribute("axis", 1))
    for kept in (few, other):
        found = quantize_embedding_rows(kept)
        assert [node.op_type for node in found.graph.node] == [n.op_type for n in kept.graph.node]


def test_a_graph_without_linear_layers_has_nothing_to_smooth():
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "none",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    assert measured_activations(model, FEEDS) == {}
    assert smoothed(model, {}, {}).model.graph.node[0].op_type == "Relu"


def test_calibration_texts_are_of_many_kinds_and_lengths_and_always_the_same():
    texts = calibration_texts()
    assert texts == calibration_texts()
    assert len(set(texts)) > 150
    assert min(map(len, texts)) < 10
    assert max(map(len, texts)) > 2000
    assert any("\u0400" <= letter <= "\u04ff" for text in texts for letter in text)


def test_no_probe_text_is_calibrated_on():
    from edgeembed_converters.validation.probe_texts import probe_texts

    assert not set(calibration_texts()) & set(probe_texts(256))


def test_texts_without_a_token_are_left_out():
    from helpers.tiny_bundle import tokenizer

    made = TextTokenizer(tokenizer=tokenizer(), max_tokens=16, special_tokens=2)
    found = token_ids(made, ["the cat", "\ud800", "dog " * 50])
    assert [len(ids) for ids in found] == [4, 16]
