"""int8 of image networks: static for convolutions, dynamic for transformers; biases, the gate."""

from dataclasses import dataclass, replace

import numpy as np
import onnx
import pytest
import torch
import transformers

from edgeembed_converters._internal.quiet import quiet_export
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.quantization.integer.bias_correction import bias_corrected
from edgeembed_converters.quantization.recipes.static_int8 import StaticMaker, StaticSettings
from edgeembed_converters.quantization.registry import Int8
from edgeembed_converters.quantization.search import Refusal, Search
from edgeembed_converters.quantization.trial.baseline import QuantizedModel
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_runtime._internal.ort import ort
from edgeembed_runtime.bundle import Fidelity
from edgeembed_runtime.encoder.self_test import rowwise_cosine
from edgeembed_runtime.errors import ConversionError

pytestmark = pytest.mark.slow

ANYTHING = Budget(mean_cosine=0, min_cosine=0, pairs_spearman=0, retrieval_overlap=0)


class ConvolutionNetwork(torch.nn.Module):
    """Three convolutions and a mean."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Conv2d(3, 16, 3, padding=1)
        self.second = torch.nn.Conv2d(16, 16, 3, padding=1)
        self.third = torch.nn.Conv2d(16, 8, 3, padding=1)

    def forward(self, pixel_values):
        hidden = torch.relu(self.second(torch.relu(self.first(pixel_values))))
        return (self.third(hidden).mean((2, 3)),)


class VisionTransformer(torch.nn.Module):
    """A tiny ViT of transformers, and the mean of its patches."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        config = transformers.ViTConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
            image_size=8, patch_size=2,
        )  # fmt: skip
        self.vit = transformers.ViTModel(config, add_pooling_layer=False)

    def forward(self, pixel_values):
        return (self.vit(pixel_values=pixel_values).last_hidden_state[:, 1:].mean(1),)


def images(count, seed):
    values = np.random.default_rng(seed).normal(size=(count, 1, 3, 8, 8)).astype(np.float32)
    # Smooth spots of color: pure noise would make all images alike.
    return [np.cumsum(np.cumsum(each, 2), 3) / 8 for each in values]


def vectors(model):
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([np.asarray(session.run(None, {name: x})[0]) for x in images(12, 1)])


@dataclass(frozen=True)
class NetworkBaseline:
    """A network's fp32 model, measured on images made here."""

    model: bytes
    reference: np.ndarray
    calibration: list
    max_tokens = None

    @property
    def fp32(self):
        return OnnxModel.in_one_file(self.model)

    def fidelity(self, model):
        cosines = rowwise_cosine(self.reference, vectors(model))
        return Fidelity(
            texts=len(cosines),
            mean_cosine=float(cosines.mean()),
            min_cosine=float(cosines.min()),
            max_abs_difference=0.0,
            pairs_spearman=1.0,
            retrieval_overlap=1.0,
        )

    def speedup(self, model):
        return 1.0


INT8 = Int8(name="int8", bits=8)


def search_of(baseline):
    return Search(baseline, lambda step: None)


@pytest.fixture(scope="module")
def baseline_of(tmp_path_factory):
    def make(network=ConvolutionNetwork):
        path = tmp_path_factory.mktemp("cnn") / "fp32.onnx"
        example = torch.from_numpy(np.concatenate(images(2, 2)))
        with quiet_export():
            torch.onnx.export(
                network().eval(),
                (example,),
                path,
                output_names=["embedding"],
                dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
                external_data=False,
                verbose=False,
            )
        model = path.read_bytes()
        (name,) = [value.name for value in onnx.load_from_string(model).graph.input]
        return NetworkBaseline(model, vectors(model), [{name: x} for x in images(8, 3)])

    return make


@pytest.mark.parametrize("ranges", ["min-max", "percentile"])
def test_every_convolution_is_quantized_and_close(ranges, baseline_of):
    baseline = baseline_of()
    made = StaticMaker(baseline).make(StaticSettings(ranges=ranges))
    assert baseline.fidelity(made).min_cosine > 0.99
    graph = onnx.load_from_string(made).graph
    assert sum(node.op_type == "Conv" for node in graph.node) == 3
    int8 = [t for t in graph.initializer if t.data_type == onnx.TensorProto.INT8 and t.dims[:]]
    assert sum(len(tensor.dims) == 4 for tensor in int8) == 3


@pytest.mark.parametrize("groups", [1, 4])
def test_bias_correction_removes_the_mean_error_of_rounded_weights(groups):
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(8, 12, 3, groups=groups)
    with torch.no_grad():
        layer.weight += 0.02  # an error that does not average out
        layer.weight[0] = 0  # and a channel without any
    x = torch.rand(3, 8, 9, 9) + 1
    weight = layer.weight.detach().numpy()
    scale = np.abs(weight).max(axis=(1, 2, 3), keepdims=True) / 63
    rounded = np.round(weight / np.where(scale > 0, scale, 1)) * scale
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w", "b"], ["y"], group=groups)],
        "conv",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 8, 9, 9])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [
            onnx.numpy_helper.from_array(weight, "w"),
            onnx.numpy_helper.from_array(layer.bias.detach().numpy(), "b"),
        ],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)
    corrected = bias_corrected(model, [{"x": each[None].numpy()} for each in x], bits=7)
    bias = onnx.numpy_helper.to_array(corrected.graph.initializer[1])

    def means(bias):
        with torch.no_grad():
            found = torch.nn.functional.conv2d(
                x, torch.from_numpy(rounded), torch.from_numpy(bias), groups=groups
            )
        return (found - layer(x)).mean((0, 2, 3)).detach().numpy()

    before, after = means(layer.bias.detach().numpy()), means(bias.copy())
    assert np.abs(after).max() < np.abs(before).max() / 5
    assert (
        model.graph.initializer[1].raw_data == layer.bias.detach().numpy().tobytes()
    )  # the original is not touched


def test_the_search_takes_the_static_family_for_convolutions(baseline_of):
    found = search_of(baseline_of()).run(INT8, ANYTHING)
    assert isinstance(found, QuantizedModel)
    assert found.recipe.startswith("static int8, 8-bit weights")
    assert found.requires == ("vnni", "neon")
    assert found.padding


def test_a_vision_transformer_is_quantized_but_for_its_patches(baseline_of):
    made = search_of(baseline_of(VisionTransformer)).run(INT8, Budget(min_cosine=0.99))
    assert isinstance(made, QuantizedModel)
    assert made.recipe.startswith("dynamic int8")
    assert made.left_in_fp32 == ("1 Conv",)
    kinds = [node.op_type for node in onnx.load_from_string(made.model).graph.node]
    assert kinds.count("MatMulInteger") >= 2 * 4  # what is left of MatMul multiplies no weights


def test_a_network_that_no_range_fits_is_refused(baseline_of):
    search = search_of(baseline_of())
    assert isinstance(search.run(INT8, Budget(mean_cosine=1.0)), Refusal)
    assert len(search.trials) == 2


def test_inputs_of_several_shapes_as_texts_have_are_measured_without_histograms(baseline_of):
    baseline = baseline_of()
    pairs = [
        {name: np.tile(x, (2, 1, 1, 1)) for name, x in f.items()} for f in baseline.calibration
    ]
    mixed = replace(baseline, calibration=[*baseline.calibration, *pairs])
    assert len(StaticMaker(baseline).fastest(8)) == 2
    (candidate,) = StaticMaker(mixed).fastest(8)
    assert "min-max" in candidate.description
    assert baseline.fidelity(candidate.make()).min_cosine > 0.99


def test_calibration_data_of_the_wrong_kind(baseline_of):
    baseline = baseline_of()
    (name,) = baseline.calibration[0]
    wrong = replace(baseline, calibration=[{name: np.zeros((1, 4), np.int64)}])
    with pytest.raises(ConversionError, match="could not quantize") as caught:
        StaticMaker(wrong).make(StaticSettings())
    assert "\n" not in str(caught.value)
