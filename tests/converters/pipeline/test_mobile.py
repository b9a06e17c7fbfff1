"""Files for phones: they load here, and give what their variants give."""

import dataclasses

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edgeembed_converters.pipeline import mobile
from edgeembed_converters.pipeline.mobile import mobile_files
from edgeembed_converters.quantization.trial.baseline import QuantizedModel
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import ConversionError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tiny, converted):
    source = tiny.sentence("mobile", pooling="mean")
    return converted(source, quantize="int8", mobile=True)


def session(path):
    return ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])


def vectors(made, ids, mask=None):
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids) if mask is None else mask}
    return np.asarray(made.run(["embedding"], feeds)[0])


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_ort_format_gives_what_the_variant_gives(variant, report):
    found = session(report.path / f"mobile/{variant}.ort")
    expected = session(report.path / f"{variant}.onnx")
    for length in (1, 5, 24):
        ids = np.arange(5, 5 + length, dtype=np.int64)[None]
        np.testing.assert_allclose(vectors(found, ids), vectors(expected, ids), atol=2e-2)


def test_the_operators_of_a_reduced_build_are_listed_without_a_path(report):
    listed = (report.path / "mobile/int8.required_operators.config").read_text()
    assert "com.microsoft;1;" in listed
    assert "DynamicQuantizeMatMul" in listed
    assert "#" not in listed
    assert "/" not in listed


def test_a_fixed_length_takes_padded_texts(report):
    assert not (report.path / "mobile/int8-24.onnx").exists()  # it takes no padding
    path = report.path / "mobile/fp32-24.onnx"
    shapes = [
        [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in onnx.load(path).graph.input
    ]
    assert shapes == [[1, 24], [1, 24]]
    ids, mask = np.zeros((1, 24), np.int64), np.zeros((1, 24), np.int64)
    ids[0, :9], mask[0, :9] = np.arange(5, 14), 1
    expected = vectors(session(report.path / "fp32.onnx"), ids[:, :9])
    np.testing.assert_allclose(vectors(session(path), ids, mask), expected, atol=1e-5)


def test_they_are_files_of_the_bundle_like_any_other(report):
    bundle = Bundle.open(report.path)
    assert bundle.problems() == []
    assert {name for name in bundle.manifest.files if name.startswith("mobile/")} == {
        *(f"mobile/{v}.{end}" for v in ("fp32", "int8") for end in _ENDS),
        "mobile/fp32-24.onnx",
    }
    with Encoder.load(report.path) as encoder:
        assert encoder.encode("the cat").shape == (32,)


_ENDS = ("ort", "required_operators.config")


def trial(report, variant="fp32"):
    made = next(v for v in report.variants if v.name == variant)
    return QuantizedModel(
        recipe="",
        size=report.sizes[variant],
        model=(report.path / f"{variant}.onnx").read_bytes(),
        requires=(),
        padding=made.padding,
        fidelity=made.fidelity,
        speedup=1.0,
    )


def test_other_vectors_are_refused(report, monkeypatch):
    other = trial(report)
    spoiled = onnx.load_from_string(other.model)
    for tensor in spoiled.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim == 2:
            turned = onnx.numpy_helper.from_array(values[::-1].copy(), tensor.name)
            tensor.CopyFrom(turned)
    wrong, operators = mobile._ort_format("fp32", spoiled.SerializeToString())
    monkeypatch.setattr(mobile, "_ort_format", lambda name, model: (wrong, operators))
    with pytest.raises(ConversionError, match=r"fp32.ort: expected the vectors of its variant"):
        mobile_files({"fp32": other}, 24)


def test_what_cannot_be_converted_is_one_line(report):
    broken = dataclasses.replace(trial(report), model=b"no model")
    with pytest.raises(ConversionError, match="could not convert it for phones") as caught:
        mobile_files({"fp32": broken}, 24)
    assert "\n" not in str(caught.value)
