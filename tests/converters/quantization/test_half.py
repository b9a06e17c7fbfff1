"""fp16: half the size, nearly the same vectors, and only for processors that gain from it."""

import numpy as np
import pytest

from edgeembed_converters.quantization.recipes.fp16 import half_precision
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import ConversionError, InputError

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


def test_bytes_that_are_no_model_are_a_conversion_error():
    with pytest.raises(ConversionError, match="could not convert the model to fp16"):
        half_precision(b"no model")
