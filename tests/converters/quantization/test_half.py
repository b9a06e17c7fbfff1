"""fp16: half the size, nearly the same vectors, and only for processors that gain from it."""

import functools
import re

import numpy as np
import onnx
import pytest
import torch

from edgeembed import convert
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.quantization.half.convert import with_half_nodes
from edgeembed_converters.quantization.half.emulate import emulated
from edgeembed_converters.validation.text_baseline import measured_fidelity
from edgeembed_runtime.bundle import Bundle, Golden
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tiny, converted):
    return converted(tiny.sentence("half", pooling="mean"), quantize=["fp16", "int8", "fp16"])


def test_variants_stand_in_the_order_asked_for_each_once(report):
    assert [variant.name for variant in report.variants] == ["fp32", "fp16", "int8"]


def test_fp16_is_close_and_half_the_size(report, encode, texts):
    found = encode(report.path, texts, variant="fp16")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, encode(report.path, texts), atol=0.01)
    assert report.variants[1].fidelity.mean_cosine > 0.9999
    assert report.sizes["fp16"] < 0.75 * report.sizes["fp32"]


def test_unit_vectors_keep_their_length(tiny, converted, encode, texts):
    report = converted(tiny.sentence("half-unit", pooling="mean"), quantize="fp16", normalize=True)
    found = encode(report.path, texts, variant="fp16")
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_it_is_for_devices_and_never_chosen_on_a_cpu(report):
    assert report.variants[1].requires == ("cuda", "coreml")
    with Encoder.load(report.path) as encoder:
        assert encoder.variant != "fp16"


def test_its_token_vectors_are_float32_too(report):
    with Encoder.load(report.path, variant="fp16") as encoder:
        assert encoder.encode_tokens("a b c").dtype == np.float32


@pytest.mark.parametrize("wrong", ["fp8", ["int8", "fp8"], ["int8", 5]])
def test_an_unknown_kind_is_an_input_error(tiny, convert_toy, wrong):
    with pytest.raises(InputError, match=r"quantize: expected int8, .*, fp16 or None, got"):
        convert_toy(tiny.new_path("bundle"), quantize=wrong)


class Scaled(torch.nn.Module):
    """Token vectors that an RMS norm brings back from any scale, as in Gemma."""

    def __init__(self, vocabulary, scale=1.0, table_scale=1.0, width=64):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, width)
        self.inner = torch.nn.Linear(width, width)
        self.scale = scale
        with torch.no_grad():
            self.embedding.weight *= table_scale

    def forward(self, input_ids, attention_mask):
        x = self.embedding(input_ids) * self.scale
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-12)
        return torch.tanh(self.inner(x))


@pytest.fixture(scope="module")
def convert_scaled(tiny, toy_tokenizer):
    @functools.cache
    def run(**scales):
        torch.manual_seed(0)
        model = Scaled(toy_tokenizer.get_vocab_size(), **scales).eval()
        output = tiny.new_path("bundle")
        return convert(model, output, tokenizer=toy_tokenizer, max_tokens=20, quantize="fp16")

    return run


@pytest.mark.parametrize("scale", [1e5, 1e3, 1e-5])
def test_what_fp16_cannot_hold_stays_in_fp32(convert_scaled, scale):
    # Too large itself; too large squared; too small squared, beside an epsilon that is zero.
    report = convert_scaled(scale=scale)
    fp32, fp16 = report.variants
    assert re.fullmatch(r"float16, \d+ operators? in float32", fp16.recipe)
    assert fp16.fidelity.min_cosine > 0.9999
    assert report.sizes["fp16"] < 0.75 * report.sizes["fp32"]
    assert fp32.fidelity.min_cosine > 0.99999


def test_it_is_refused_where_too_little_is_left_to_gain(convert_scaled):
    report = convert_scaled(table_scale=1e6)
    assert [variant.name for variant in report.variants] == ["fp32"]
    (note,) = [note for note in report.notes if "fp16" in note]
    assert note.startswith("fp16 was refused: values of 7 of 16 operators are beyond it")


@pytest.mark.parametrize("scale", [1e5, 1e-5])
def test_overflow_and_underflow_show_although_the_cpu_hides_them(convert_scaled, scale):
    report = convert_scaled(scale=scale)
    fp32 = onnx.load(report.path / "fp32.onnx")
    careless = with_half_nodes(fp32, ()).SerializeToString()
    bundle = Bundle.open(report.path)
    golden = Golden.from_json(bundle.read("golden.json"))
    tower = bundle.manifest.text_tower()
    tokenizer = TextTokenizer.from_bytes(bundle.read(tower.tokenizer), tower.max_tokens, "toy")
    models = [OnnxModel.in_one_file(model) for model in (careless, emulated(careless))]
    hidden, shown = (measured_fidelity(each, tokenizer, golden) for each in models)
    assert hidden.min_cosine > 0.999
    assert shown.min_cosine < 0.5


def test_nothing_of_a_plain_model_stays_in_fp32(report):
    # But for the 1e-9 that the number of tokens is compared with.
    assert report.variants[1].recipe == "float16, 1 operator in float32"
