"""Variants of a conversion: measured, and honest about the processor that they need."""

import numpy as np
import pytest

from edgeembed import convert
from edgeembed_runtime.bundle import Golden
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tiny):
    return tiny.sentence("pooling-mean", pooling="mean")


@pytest.fixture(scope="module")
def report(source, converted):
    return converted(source, quantize="int8")


def test_both_variants_are_written(report):
    assert [variant.name for variant in report.variants] == ["fp32", "int8"]
    assert set(report.sizes) == {"fp32", "int8"}
    for name, size in report.sizes.items():
        assert (report.path / f"{name}.onnx").stat().st_size == size
    assert report.sizes["int8"] < report.sizes["fp32"]


def test_fidelity_is_what_sentence_transformers_finds(report, source, reference, encode):
    golden = Golden.from_json((report.path / "golden.json").read_bytes())
    expected = reference(source).encode(list(golden.texts), prompt="")
    for variant in report.variants:
        found = encode(report.path, golden.texts, variant=variant.name, prompt="")
        cosines = (expected * found).sum(1) / (
            np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
        )
        assert variant.fidelity.texts == len(golden.texts)
        assert variant.fidelity.mean_cosine == pytest.approx(cosines.mean(), abs=1e-4)
        assert variant.fidelity.min_cosine == pytest.approx(cosines.min(), abs=1e-3)
        difference = np.abs(expected - found).max()
        assert variant.fidelity.max_abs_difference == pytest.approx(difference, abs=1e-3)
    assert report.variants[1].fidelity.mean_cosine > 0.9


def test_bundle_passes_its_own_golden_test_in_both_variants(report):
    for name in ("fp32", "int8"):
        with Encoder.load(report.path, variant=name, verify="golden") as encoder:
            assert encoder.self_test().ok


@pytest.mark.parametrize(
    "options", [{"quantize": "int4"}, {"pooling": "median"}, {"exporter": "tensorflow"}]
)
def test_unknown_option(options, source, tmp_path):
    (name,) = options
    with pytest.raises(InputError, match=f"{name}: expected .* got '{options[name]}'"):
        convert(source, tmp_path / "bundle", **options)
