"""The ladder of int8 recipes: from fast to faithful, and no further than the budget asks."""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.quantization.integer.residual import with_residual
from edgeembed_converters.quantization.integer.sensitivity import most_sensitive_first, rounded
from edgeembed_converters.quantization.recipes.dynamic_int8 import DynamicMaker, DynamicSettings
from edgeembed_converters.quantization.registry import Int8
from edgeembed_converters.quantization.search import Refusal, Search, pareto_front
from edgeembed_converters.quantization.trial.baseline import Trial
from edgeembed_converters.quantization.trial.bits import Bits, max_exact_bits
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_runtime.bundle import Fidelity
from edgeembed_runtime.errors import ConversionError, InputError

WIDTH, ROWS = 32, 100
LAYERS = ("first", "second", "third")
ANYTHING = Budget(mean_cosine=0, min_cosine=0, pairs_spearman=0, retrieval_overlap=0)
IDS = [np.random.default_rng(n).integers(1, ROWS, 6 + n) for n in range(8)]
FEEDS = [{"input_ids": ids[None], "attention_mask": np.ones_like(ids[None])} for ids in IDS]


def chain(outlier=1.0):
    """Three layers in a row; `outlier` multiplies the second one's first channel."""
    rng = np.random.default_rng(0)
    arrays = {"table": rng.standard_normal((ROWS, WIDTH)).astype(np.float32)}
    arrays |= {
        f"{name}.weight": (rng.standard_normal((WIDTH, WIDTH)) / 6).astype(np.float32)
        for name in LAYERS
    }
    scale = np.ones(WIDTH, np.float32)
    scale[0] = outlier
    arrays["scale"] = scale
    arrays["second.weight"][0] /= outlier
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["row"]),
        helper.make_node("MatMul", ["row", "first.weight"], ["first"]),
        helper.make_node("Tanh", ["first"], ["active"]),
        helper.make_node("Mul", ["active", "scale"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "second.weight"], ["second"]),
        helper.make_node("Tanh", ["second"], ["again"]),
        helper.make_node("MatMul", ["again", "third.weight"], ["third"]),
    ]
    axes = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "chain",
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.INT64, axes)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("third", onnx.TensorProto.FLOAT, [*axes, WIDTH])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def outputs(model):
    data = model if isinstance(model, bytes) else model.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return np.concatenate([np.asarray(session.run(["third"], each)[0])[0] for each in FEEDS])


def fidelity(cosines):
    return Fidelity(
        texts=len(cosines),
        mean_cosine=float(np.mean(cosines)),
        min_cosine=float(np.min(cosines)),
        max_abs_difference=0.0,
        pairs_spearman=1.0,
        retrieval_overlap=1.0,
    )


@dataclass(frozen=True)
class ChainBaseline:
    """A chain of layers, measured on its own outputs."""

    model: bytes
    max_tokens = 16
    calibration = FEEDS
    golden_inputs = FEEDS

    @property
    def fp32(self):
        return OnnxModel.in_one_file(self.model)

    def fidelity(self, model, *, padded=False):
        expected, found = outputs(self.model), outputs(model)
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
        return fidelity((found * expected).sum(1) / np.maximum(lengths, 1e-30))

    def speedup(self, model):
        return 1.0


def baseline(model):
    return ChainBaseline(model.SerializeToString())


def search(model):
    steps = []
    return Search(baseline(model), steps.append), steps


def int8(bits: Bits | None = None):
    return Int8(name="int8", bits=bits or max_exact_bits())


def met(made, budget, bits: Bits | None = None):
    """The model of a budget that can be met."""
    found = made.run(int8(bits), budget)
    assert not isinstance(found, Refusal)
    return found


@pytest.mark.parametrize("layers", [(), ("first",), LAYERS])
def test_a_second_pass_is_one_more_product(layers):
    model = chain()
    before = model.SerializeToString()
    copy = with_residual(model, layers)
    assert model.SerializeToString() == before
    onnx.checker.check_model(copy)
    kinds = [node.op_type for node in copy.graph.node]
    assert kinds.count("MatMul") == 3 + len(layers)
    assert {tensor.name for tensor in copy.graph.initializer} == {
        tensor.name for tensor in model.graph.initializer
    }


def test_every_layer_with_a_second_pass_brings_int8_closer():
    made = DynamicMaker(baseline(chain(outlier=50)))
    expected = outputs(chain(outlier=50))
    errors = [
        np.abs(
            outputs(made.make(DynamicSettings(bits=max_exact_bits(), residual_layers=count)))
            - expected
        ).mean()
        for count in (0, 1, 3)
    ]
    assert errors[1] < errors[0] / 2
    assert errors[2] < errors[1]


@pytest.mark.parametrize("outlier", [20, 1000])
def test_the_layer_with_outliers_is_the_most_sensitive(outlier):
    ranking = most_sensitive_first(chain(outlier), FEEDS)
    assert ranking[0] == "second"
    assert sorted(ranking) == sorted(LAYERS)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 40),
    shift=st.floats(-3, 3),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 1e4]),
)
def test_rounding_is_onnxruntimes(seed, size, shift, scale):
    values = np.random.default_rng(seed).standard_normal(size) + shift
    x = (values * scale).astype(np.float32)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "rounded",
        [value("x", onnx.TensorProto.FLOAT, [None])],
        [value("y", onnx.TensorProto.FLOAT, [None]), value("s", onnx.TensorProto.FLOAT, [])],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    expected, step = map(np.asarray, session.run(["y", "s"], {"x": x}))
    # Where a value, or the zero point, is halfway between two levels, either neighbor is right.
    np.testing.assert_allclose(rounded(x), expected, atol=float(step) * 1.001)
    assert np.mean(np.abs(rounded(x) - expected) <= float(step) * 1e-3) > 0.5


def test_the_fastest_recipe_that_meets_the_budget_is_taken():
    made, tried = search(chain())
    found = met(made, ANYTHING)
    assert "second pass" not in found.recipe
    assert not any("second pass" in recipe for recipe in tried)
    assert found.fidelity.mean_cosine == max(t.fidelity.mean_cosine for t in made.trials)


def test_a_stricter_budget_goes_further_and_tries_nothing_twice():
    made, tried = search(chain(outlier=1000))
    loose = met(made, ANYTHING)
    strict = met(made, Budget(mean_cosine=loose.fidelity.mean_cosine + 1e-6))
    assert "second pass" in strict.recipe
    assert strict.fidelity.mean_cosine > loose.fidelity.mean_cosine
    assert len(tried) == len(set(tried)) == len(made.trials)


def test_no_recipe_meets_an_unreachable_budget():
    made, tried = search(chain())
    assert isinstance(made.run(int8(), Budget(mean_cosine=1.0)), Refusal)
    assert any("second pass of 3 layers" in recipe for recipe in tried)


@pytest.mark.parametrize("bits", [7, 8])
def test_only_eight_bit_weights_need_a_dot_product_unit(bits):
    made, _ = search(chain())
    found = met(made, ANYTHING, bits)
    assert f"{bits}-bit" in found.recipe
    assert found.requires == (("vnni", "neon") if bits == 8 else ())


def trial(speedup, cosine):
    return Trial(
        recipe=f"{speedup} {cosine}",
        size=1,
        requires=(),
        padding=True,
        fidelity=fidelity([cosine]),
        speedup=speedup,
    )


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_pareto_front_is_what_nothing_beats(pairs):
    trials = tuple(trial(speed, cosine / 10) for speed, cosine in pairs)
    front = pareto_front(trials)
    points = {(t.speedup, t.fidelity.mean_cosine) for t in trials}
    expected = {
        (s, c)
        for s, c in points
        if not any((s2 >= s and c2 >= c) and (s2, c2) != (s, c) for s2, c2 in points)
    }
    assert [(t.speedup, t.fidelity.mean_cosine) for t in front] == sorted(expected, reverse=True)


def test_a_file_that_is_no_model():
    with pytest.raises(ConversionError, match="could not quantize") as caught:
        DynamicMaker(ChainBaseline(b"no model"))
    assert "\n" not in str(caught.value)


def test_a_model_that_is_quantized_already():
    quantized = DynamicMaker(baseline(chain())).make(DynamicSettings())
    with pytest.raises(ConversionError, match="quantized already"):
        DynamicMaker(ChainBaseline(quantized))


def test_a_graph_with_nothing_to_quantize():
    model = chain()
    del model.graph.node[1:]
    model.graph.node[0].output[0] = "third"
    few = numpy_helper.from_array(np.ones((8, WIDTH), np.float32), "table")
    for tensor in model.graph.initializer:
        if tensor.name == "table":
            tensor.CopyFrom(few)
    with pytest.raises(ConversionError, match="no linear layers and no embedding tables"):
        DynamicMaker(baseline(model))


@pytest.mark.parametrize("bound", [-0.1, 1.5, float("nan"), "high", None])
def test_a_budget_that_makes_no_sense(bound):
    with pytest.raises(InputError, match="budget: min_cosine: expected a number of 0 to 1"):
        Budget(min_cosine=bound)
