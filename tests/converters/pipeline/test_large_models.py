"""Models whose fp32 graph one ONNX file cannot hold, with a limit low enough for tiny ones."""

import numpy as np
import pytest

from edgeembed import convert, quantize
from edgeembed_converters.graph import weights
from edgeembed_converters.graph.weights import OnnxModel
from edgeembed_converters.pipeline.tower import built_tower
from edgeembed_converters.quantization import registry
from edgeembed_converters.quantization.registry import register_recipe
from edgeembed_converters.quantization.trial.candidate import Candidate
from edgeembed_converters.quantization.variants import QuantizationOutcome
from edgeembed_converters.validation.parity import fidelity
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import ConversionError, InputError, UnsupportedModelError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tiny):
    return tiny.sentence("half", pooling="mean")


@pytest.fixture(scope="module")
def whole(source, converted):
    """A conversion with all variants, which the tests of fp16 need too."""
    return converted(source, quantize=["fp16", "int8", "fp16"])


@pytest.fixture
def limited(monkeypatch):
    """`limited(bytes)`: what one file holds from now on."""

    def limit(size):
        monkeypatch.setattr(weights, "MAX_FILE_BYTES", size)

    return limit


@pytest.fixture(scope="module")
def without_fp32(source, whole, tiny):
    """A conversion of a model that is too large in fp32 alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "MAX_FILE_BYTES", int(0.6 * whole.sizes["fp32"]))
        return convert(source, tiny.new_path("bundle"), quantize=["int8", "fp16"])


def test_smaller_variants_are_the_same_to_the_byte(whole, without_fp32):
    assert [variant.name for variant in without_fp32.variants] == ["int8", "fp16"]
    for name in ("int8.onnx", "fp16.onnx"):
        assert (without_fp32.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert without_fp32.space == whole.space
    assert without_fp32.variants[0].speedup > 0


def test_the_report_and_the_card_say_that_fp32_is_left_out(without_fp32):
    (note,) = [note for note in without_fp32.notes if note.startswith("fp32 was refused")]
    assert "all that one ONNX file holds" in note
    assert note in (without_fp32.path / "README.md").read_text()
    assert not (without_fp32.path / "fp32.onnx").exists()


def test_what_needs_fp32_says_that_it_is_absent(without_fp32, tiny):
    with pytest.raises(InputError, match="expected auto or one of int8, fp16, got 'fp32'"):
        Encoder.load(without_fp32.path, variant="fp32")
    with pytest.raises(InputError, match="expected an fp32 variant to start from, found int8"):
        quantize(without_fp32.path, tiny.new_path("bundle"))
    with Encoder.load(without_fp32.path) as encoder:
        assert encoder.variant == "int8"


@pytest.mark.parametrize(
    ("share", "options", "advice"),
    [
        (0.6, {}, "pass quantize='int8' or 'fp16'"),
        (0.3, {"quantize": "fp16"}, "pass quantize='int8'$"),
        (0.1, {"quantize": "int8"}, "convert a smaller one"),
        (0.6, {"quantize": "int8", "exporter": "optimum"}, "pass exporter='torch'"),
    ],
)
def test_it_is_refused_before_any_work_if_nothing_fits(
    source, whole, tiny, limited, share, options, advice
):
    limited(int(share * whole.sizes["fp32"]))
    steps, output = [], tiny.new_path("bundle")
    with pytest.raises(UnsupportedModelError, match=advice) as error:
        convert(source, output, on_step=steps.append, **options)
    assert "\n" not in str(error.value)
    assert steps == ["Loading the model"]
    assert not output.exists()


def test_it_is_an_error_if_every_variant_is_refused():
    same = np.eye(3, dtype=np.float32)
    large = OnnxModel(graph=b"", outside={"w": np.zeros(10, np.float32)})
    outcome = QuantizationOutcome(models={}, refused={"int8": "it misses"}, trials=())
    with pytest.raises(ConversionError, match=r"got none: fp32: its size: .*; int8: it misses"):
        built_tower(large, "torch", fidelity(same, same), outcome)


def test_a_recipe_that_needs_one_file_is_refused_by_name(convert_toy, tiny, limited, monkeypatch):
    class Copy:
        name = "copy"
        needs_calibration = False

        def gate(self, budget):
            return budget

        def fastest(self, search):
            return [Candidate(description="a copy", make=lambda: search.baseline.model)]

    monkeypatch.setattr(registry, "_registered", [])
    register_recipe(Copy())
    limited(20_000)
    report = convert_toy(tiny.new_path("bundle"), quantize=["copy", "fp16"])
    assert [variant.name for variant in report.variants] == ["fp16"]
    assert any(note.startswith("copy was refused: the model: expected") for note in report.notes)
