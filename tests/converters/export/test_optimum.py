"""exporter="optimum", where optimum-onnx is installed; a plain answer where it is not."""

import importlib.util
import shutil

import pytest

from edgeembed import convert
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import MissingExtraError, UnsupportedModelError


def has_optimum():
    return (
        importlib.util.find_spec("optimum") is not None
        and importlib.util.find_spec("optimum.exporters") is not None
        and importlib.util.find_spec("optimum.exporters.onnx") is not None
    )


needs_optimum = pytest.mark.skipif(not has_optimum(), reason="optimum-onnx is not installed")
# Remarks of Optimum and of torch's older exporter about themselves.
quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@needs_optimum
@quiet
@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_vectors_equal_sentence_transformers(
    kind, tiny, converted, reference, encode, texts, assert_same_vectors
):
    source = tiny.sentence(
        f"optimum-{kind}", kind=kind, head=[{"out_features": 16}], normalize=True
    )
    report = converted(source, exporter="optimum")
    assert report.exporter == "optimum"
    assert report.variants[0].recipe == "optimum, float32"
    assert_same_vectors(reference(source).encode(list(texts)), encode(report.path, texts))


@needs_optimum
@quiet
def test_it_is_the_same_space_as_torch_s_and_can_be_quantized(tiny, converted, encode, texts):
    source = tiny.sentence("pooling-mean", pooling="mean")
    report = converted(source, exporter="optimum", quantize="int8")
    assert report.space == converted(source).space
    assert report.variants[1].fidelity.mean_cosine > 0.9
    for trace in (source, source.parent.parent):
        assert str(trace).encode() not in (report.path / "fp32.onnx").read_bytes()
    with Encoder.load(report.path, variant="int8", verify="golden") as encoder:
        assert encoder.dim == 32


@needs_optimum
@quiet
def test_live_module_is_refused(toy, toy_tokenizer, tmp_path):
    with pytest.raises(UnsupportedModelError, match="expected a model directory, got a module"):
        convert(
            toy, tmp_path / "bundle", tokenizer=toy_tokenizer, max_tokens=20, exporter="optimum"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(has_optimum(), reason="optimum-onnx is installed")
def test_without_optimum_the_extra_is_named(tiny, tmp_path):
    source = tmp_path / "model"
    shutil.copytree(tiny.transformers("bert"), source)
    with pytest.raises(MissingExtraError, match=r"pip install 'edgeembed\[optimum\]'"):
        convert(source, tmp_path / "bundle", exporter="optimum")
    assert not (tmp_path / "bundle").exists()
