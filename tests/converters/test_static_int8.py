"""Static int8 of a convolution network: ranges, layers that stay in fp32, and the gate."""

import numpy as np
import onnx
import pytest
import torch

from edgeembed_converters.export.torch_exporter import quiet_export
from edgeembed_converters.quantization.budget import Budget
from edgeembed_converters.quantization.search import Int8Search
from edgeembed_converters.quantization.static import StaticMaker, StaticRecipe
from edgeembed_converters.quantization.subject import Subject
from edgeembed_runtime.bundle import Fidelity
from edgeembed_runtime.errors import ConversionError
from edgeembed_runtime.onnxruntime_offline import ort
from edgeembed_runtime.self_test import rowwise_cosine

ANYTHING = Budget(mean_cosine=0, min_cosine=0, pairs_spearman=0, retrieval_overlap=0)


class ConvolutionNetwork(torch.nn.Module):
    """Three convolutions and a mean; `outlier` makes one channel of the second one's input huge."""

    def __init__(self, outlier=1.0):
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Conv2d(3, 16, 3, padding=1)
        self.second = torch.nn.Conv2d(16, 16, 3, padding=1)
        self.third = torch.nn.Conv2d(16, 8, 3, padding=1)
        with torch.no_grad():
            self.first.weight[0] *= outlier
            self.first.bias[0] *= outlier
            self.second.weight[:, 0] /= outlier

    def forward(self, pixel_values):
        hidden = torch.relu(self.second(torch.relu(self.first(pixel_values))))
        return (self.third(hidden).mean((2, 3)),)


def pictures(count, seed):
    values = np.random.default_rng(seed).normal(size=(count, 1, 3, 8, 8)).astype(np.float32)
    # Smooth spots of colour: pure noise would make all pictures alike.
    return [np.cumsum(np.cumsum(each, 2), 3) / 8 for each in values]


def vectors(model):
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x})[0] for x in pictures(12, 1)])


@pytest.fixture(scope="module")
def subject_of(tmp_path_factory):
    def make(outlier=1.0):
        path = tmp_path_factory.mktemp("cnn") / "fp32.onnx"
        example = torch.from_numpy(np.concatenate(pictures(2, 2)))
        with quiet_export():
            torch.onnx.export(
                ConvolutionNetwork(outlier).eval(),
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
            calibration=[{name: x} for x in pictures(8, 3)],
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


def test_layers_that_are_kept_stay_in_fp32(subject_of):
    subject = subject_of(outlier=200)
    maker = StaticMaker(subject)
    models = [maker.make(StaticRecipe(kept=kept)) for kept in (0, 1, 3)]
    int8 = [
        sum(
            tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4
            for tensor in onnx.load_from_string(model).graph.initializer
        )
        for model in models
    ]
    assert int8 == [3, 2, 0]
    errors = [1 - subject.fidelity(model).mean_cosine for model in models]
    assert errors[1] < errors[0] / 2
    assert errors[2] < 1e-5


def test_the_search_takes_the_static_family_for_convolutions(subject_of):
    found = Int8Search(subject_of(), lambda recipe: None).fastest_within(ANYTHING, 8)
    assert found.recipe.startswith("static int8, 8-bit weights")
    assert found.requires == ("vnni", "neon")
    assert found.padding


def test_a_fragile_network_keeps_its_most_sensitive_layers(subject_of):
    search = Int8Search(subject_of(outlier=200), lambda recipe: None)
    loose = search.fastest_within(ANYTHING, 8)
    budget = Budget(mean_cosine=(1 + loose.fidelity.mean_cosine) / 2, min_cosine=0)
    assert "in fp32" in search.fastest_within(budget, 8).recipe


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
