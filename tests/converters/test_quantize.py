"""int8 variants: measured, honest about the processor they need, and chosen by fidelity."""

import dataclasses

import numpy as np
import pytest

from edgeembed_converters import convert
from edgeembed_converters.quantize.dynamic import RECIPES, best_dynamic_int8
from edgeembed_converters.quantize.quantized_model import Original
from edgeembed_runtime.bundle import Golden
from edgeembed_runtime.encoder import Encoder
from edgeembed_runtime.errors import ConversionError, InputError


@pytest.fixture(scope="module")
def source(tiny):
    return tiny.sentence("pooling-mean", pooling="mean")


def original(path):
    return Original(path=path, max_tokens=20, calibration=[np.array([3, 4, 5]), np.array([6, 7])])


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


def test_requires_follows_from_the_recipe(report):
    int8 = report.variants[1]
    by_name = {recipe.name: recipe.requires for recipe in RECIPES}
    assert len(by_name) == len(RECIPES)
    assert int8.requires == by_name[int8.recipe]
    assert report.variants[0].requires == ()


def test_only_eight_bit_weights_need_a_dot_product_unit():
    for recipe in RECIPES:
        assert ("7-bit" in recipe.name) == recipe.reduce_range  # the width of the weights
        if recipe.reduce_range:
            assert recipe.requires == ()
        else:
            assert "vnni" in recipe.requires


def test_bundle_passes_its_own_golden_test_in_both_variants(report):
    for name in ("fp32", "int8"):
        with Encoder.load(report.path, variant=name, verify="golden") as encoder:
            assert encoder.self_test().ok


@pytest.mark.parametrize("best", range(len(RECIPES)))
def test_most_faithful_recipe_is_kept(best, toy_report):
    fidelity = toy_report.variants[0].fidelity
    seen = []

    def measure(model):
        seen.append(model)
        cosine = 0.99 if len(seen) == best + 1 else 0.9
        return dataclasses.replace(fidelity, mean_cosine=cosine)

    found = best_dynamic_int8(original(toy_report.path / "fp32.onnx"), measure)
    assert len(seen) == len(RECIPES)
    assert found.recipe == RECIPES[best].name
    assert found.requires == RECIPES[best].requires
    assert found.model == seen[best]
    assert found.fidelity.mean_cosine == 0.99


def test_file_that_is_no_model(tmp_path):
    path = tmp_path / "fp32.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ConversionError, match="could not quantize") as caught:
        best_dynamic_int8(original(path), lambda model: None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"quantize": "int4"}, {"pooling": "median"}, {"exporter": "tensorflow"}]
)
def test_unknown_option(options, source, tmp_path):
    (name,) = options
    with pytest.raises(InputError, match=f"{name}: expected .* got '{options[name]}'"):
        convert(source, tmp_path / "bundle", **options)
