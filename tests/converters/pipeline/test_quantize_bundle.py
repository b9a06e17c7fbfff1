"""quantize(): from a bundle to one with smaller variants, or a refusal that says why."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from edgeembed import Budget, convert, quantize
from edgeembed_converters.quantization.recipes.dynamic_int8 import DynamicMaker
from edgeembed_runtime.bundle import Bundle, Calibration, SearchProfile, rewrite_manifest
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import (
    BundleNotFoundError,
    ConversionError,
    InputError,
    StorageError,
)
from helpers import tiny_bundle

pytestmark = pytest.mark.slow

ANYTHING = Budget(mean_cosine=0, min_cosine=0, pairs_spearman=0, retrieval_overlap=0)
TEXTS = ["the cat sat", "a man is playing a guitar", "someone performs music"]


@pytest.fixture(scope="module")
def bundle(tiny, converted):
    return converted(tiny.sentence("quantize-bundle", pooling="mean")).path


@pytest.fixture(scope="module")
def report(bundle, tiny):
    return quantize(bundle, tiny.new_path("quantized"), budget=ANYTHING)


def contents(path):
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in path.iterdir() if p.is_file()
    }


def test_the_new_bundle_has_both_variants_and_the_same_space(bundle, report):
    old, new = Bundle.open(bundle).manifest, Bundle.open(report.path).manifest
    assert [variant.name for variant in new.text_tower().variants] == ["fp32", "int8"]
    assert new.space == old.space
    assert new.text_tower().variant("fp32") == old.text_tower().variant("fp32")
    assert not Bundle.open(report.path).problems()
    with Encoder.load(report.path, variant="int8", verify="golden") as encoder:
        assert encoder.encode(TEXTS).shape == (3, 32)


def test_the_card_shows_the_new_variant(report):
    assert "| int8 |" in (report.path / "README.md").read_text()


def test_the_report_names_what_was_tried_and_what_became_of_it(report):
    chosen = [trial for trial in report.trials if trial.chosen]
    assert [trial.chosen for trial in chosen] == ["int8"]
    int8 = next(variant for variant in report.variants if variant.name == "int8")
    assert int8.recipe == chosen[0].recipe
    assert int8.fidelity == chosen[0].fidelity
    assert any(trial.best for trial in report.trials)
    tree = report.as_dict()
    assert tree["trials"][0]["fidelity"]["mean_cosine"] == report.trials[0].fidelity.mean_cosine
    assert report.calibrated_on > 150


def test_the_bundle_itself_is_never_touched(bundle, tmp_path):
    before = contents(bundle)
    quantize(bundle, tmp_path / "out", quantize=["int8", "fp16"], budget=ANYTHING)
    with pytest.raises(InputError, match="is the bundle itself, which is never changed"):
        quantize(bundle, bundle, overwrite=True)
    assert contents(bundle) == before


def test_a_variant_of_the_same_name_is_replaced(report, tmp_path):
    again = quantize(report.path, tmp_path / "out", quantize="int8-portable", budget=ANYTHING)
    assert [variant.name for variant in again.variants] == ["fp32", "int8", "int8-portable"]
    portable = again.variants[2]
    assert portable.requires == ()
    assert "7-bit" in portable.recipe
    third = quantize(again.path, tmp_path / "third", budget=ANYTHING)
    assert [variant.name for variant in third.variants] == ["fp32", "int8-portable", "int8"]
    assert not Bundle.open(third.path).problems()


def test_what_was_measured_of_search_stays(report, tmp_path):
    measured = Bundle.open(tiny_bundle.copy_bundle(report.path, tmp_path / "measured"))
    search = SearchProfile(weight=0.3, calibration=Calibration(slope=9.0, intercept=-4.0))
    rewrite_manifest(measured, replace(measured.manifest, search=search))
    again = quantize(measured.path, tmp_path / "out", quantize="int8-portable", budget=ANYTHING)
    assert Bundle.open(again.path).manifest.search == search


def test_an_unreachable_budget_is_an_error_and_leaves_nothing(bundle, tmp_path):
    with pytest.raises(ConversionError, match=r"int8: none of \d+ recipes meets the budget"):
        quantize(bundle, tmp_path / "out", budget=Budget(mean_cosine=1.0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spoil", [lambda values: values[::-1], lambda values: values * np.nan])
def test_a_broken_recipe_is_refused(spoil, bundle, tmp_path, monkeypatch):
    import onnx
    from onnx import numpy_helper

    make = DynamicMaker.make

    def broken(self, recipe):
        model = onnx.load_from_string(make(self, recipe))
        for tensor in model.graph.initializer:
            values = numpy_helper.to_array(tensor)
            if tensor.name.endswith(".scales"):  # of the rows of an embedding table
                tensor.CopyFrom(numpy_helper.from_array(spoil(values).copy(), tensor.name))
        return model.SerializeToString()

    monkeypatch.setattr(DynamicMaker, "make", broken)
    with pytest.raises(ConversionError, match=r"meets the budget; the closest .* mean_cosine 0\."):
        quantize(bundle, tmp_path / "out")


class Fragile(torch.nn.Module):
    """One token that stands in every text has huge values, beside which all others round to 0."""

    def __init__(self, vocabulary, outlier, token):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = torch.nn.Embedding(vocabulary, 64)
        self.linear = torch.nn.Linear(64, 64)
        with torch.no_grad():
            self.embedding.weight[token] *= outlier

    def forward(self, input_ids, attention_mask):
        return torch.tanh(self.linear(self.embedding(input_ids)))


@pytest.fixture(scope="module")
def convert_fragile(toy_tokenizer, tiny):
    def run(outlier):
        model = Fragile(toy_tokenizer.get_vocab_size(), outlier, toy_tokenizer.token_to_id("[CLS]"))
        return convert(
            model.eval(),
            tiny.new_path("fragile"),
            tokenizer=toy_tokenizer,
            max_tokens=20,
            quantize="int8",
        )

    return run


def test_a_fragile_model_falls_back_to_a_second_pass(convert_fragile):
    report = convert_fragile(100)
    assert "second pass" in report.variants[1].recipe
    plain = next(trial for trial in report.trials if "smoothed" not in trial.recipe)
    assert plain.fidelity.mean_cosine < 0.98 < report.variants[1].fidelity.mean_cosine


def test_a_model_that_no_recipe_fits_stays_fp32_and_says_so(convert_fragile):
    report = convert_fragile(1e6)
    assert [variant.name for variant in report.variants] == ["fp32"]
    (note,) = [note for note in report.notes if "refused" in note]
    assert "int8 was refused: none of" in note
    assert note in (report.path / "README.md").read_text()


def test_calibration_texts_of_ones_own(bundle, tmp_path):
    found = quantize(bundle, tmp_path / "out", budget=ANYTHING, calibration=TEXTS)
    assert found.calibrated_on == len(TEXTS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibration": []}, "calibration: expected at least one text"),
        ({"calibration": ["", "  "]}, "calibration: expected at least one text"),
        ({"calibration": "one text"}, "calibration: expected a list of texts"),
        ({"calibration": ["a", 5]}, "calibration: expected a list of texts"),
        ({"quantize": "int3"}, "quantize: expected int8"),
        ({"quantize": ()}, "quantize: expected a variant to make"),
    ],
)
def test_wrong_options(options, message, bundle, tmp_path):
    with pytest.raises(InputError, match=message):
        quantize(bundle, tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def test_calibration_texts_that_are_measured_on_are_left_out(bundle, tmp_path):
    from edgeembed_runtime.bundle import Golden

    golden = Golden.from_json((bundle / "golden.json").read_bytes())
    with pytest.raises(InputError, match="calibration"):
        quantize(bundle, tmp_path / "out", calibration=list(golden.texts))


def test_a_bundle_without_fp32(report, tmp_path):
    from helpers.tiny_bundle import copy_bundle, edit_manifest

    path = tmp_path / "only-int8"
    copy_bundle(report.path, path)

    def drop(tree):
        tree["towers"]["text"]["variants"] = tree["towers"]["text"]["variants"][1:]

    edit_manifest(path, drop)
    with pytest.raises(InputError, match="expected an fp32 variant to start from, found int8"):
        quantize(path, tmp_path / "out")


def test_places_that_cannot_be_used(bundle, tmp_path):
    with pytest.raises(BundleNotFoundError):
        quantize(tmp_path / "nothing", tmp_path / "out")
    (tmp_path / "taken").mkdir()
    with pytest.raises(StorageError, match="exists already"):
        quantize(bundle, tmp_path / "taken")
    with pytest.raises(StorageError, match="never overwritten"):
        quantize(bundle, tmp_path / "taken", overwrite=True)
