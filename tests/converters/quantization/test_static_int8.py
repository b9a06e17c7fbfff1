"""int8 of image networks: static for convolutions, dynamic for transformers; biases, the gate."""

import numpy as np
import onnx
import pytest
import torch
import transformers

from edgeembed_converters.export.torch import quiet_export
from edgeembed_converters.quantization.integer.bias_correction import bias_corrected
from edgeembed_converters.quantization.recipes.static import StaticMaker, StaticRecipe
from edgeembed_converters.quantization.search import Int8Search
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.quantization.trial.subject import Subject
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


@pytest.fixture(scope="module")
def subject_of(tmp_path_factory):
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
        reference = vectors(path.read_bytes())

        def fidelity(candidate):
            cosines = rowwise_cosine(reference, vectors(candidate))
            return Fidelity(
                texts=len(cosines),
                mean_cosine=float(cosines.mean()),
                min_cosine=float(cosines.min()),
                max_abs_difference=0.0,
                pairs_spearman=1.0,
                retrieval_overlap=1.0,
            )

        (name,) = [value.name for value in onnx.load(path).graph.input]
        return Subject(
            path=path,
            max_tokens=None,
            calibration=[{name: x} for x in images(8, 3)],
            fidelity=fidelity,
            speedup=lambda model: 1.0,
        )

    return make


@pytest.mark.parametrize("ranges", ["min-max", "percentile"])
def test_every_convolution_is_quantized_and_close(ranges, subject_of):
    subject = subject_of()
    made = StaticMaker(subject).make(StaticRecipe(ranges=ranges))
    assert subject.fidelity(made).min_cosine > 0.99
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


def test_the_search_takes_the_static_family_for_convolutions(subject_of):
    found = Int8Search(subject_of(), lambda recipe: None).fastest_within(ANYTHING, 8)
    assert found.recipe.startswith("static int8, 8-bit weights")
    assert found.requires == ("vnni", "neon")
    assert found.padding


def test_a_vision_transformer_is_quantized_but_for_its_patches(subject_of):
    made = Int8Search(subject_of(VisionTransformer), lambda recipe: None).fastest_within(
        Budget(min_cosine=0.99), 8
    )
    assert made.recipe.startswith("dynamic int8")
    assert made.left_in_fp32 == ("1 Conv",)
    kinds = [node.op_type for node in onnx.load_from_string(made.model).graph.node]
    assert kinds.count("MatMulInteger") >= 2 * 4  # what is left of MatMul multiplies no weights


def test_a_network_that_no_range_fits_is_refused(subject_of):
    search = Int8Search(subject_of(), lambda recipe: None)
    assert search.fastest_within(Budget(mean_cosine=1.0), 8) is None
    assert len(search.trials) == 2


def test_calibration_data_of_the_wrong_kind(subject_of):
    subject = subject_of()
    (name,) = subject.calibration[0]
    wrong = Subject(
        path=subject.path,
        max_tokens=None,
        calibration=[{name: np.zeros((1, 4), np.int64)}],
        fidelity=subject.fidelity,
        speedup=subject.speedup,
    )
    with pytest.raises(ConversionError, match="could not quantize") as caught:
        StaticMaker(wrong).make(StaticRecipe())
    assert "\n" not in str(caught.value)
