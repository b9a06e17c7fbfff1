"""Recipes by registration: asked for by name like "int8"; a broken one is named in the error."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgeembed import Budget, convert, quantize
from edgeembed_converters.quantization import registry
from edgeembed_converters.quantization.registry import register_recipe
from edgeembed_converters.quantization.trial.candidate import Candidate
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import ConversionError, InputError

ANYTHING = Budget(mean_cosine=0, min_cosine=0, pairs_spearman=0, retrieval_overlap=0)


@pytest.fixture(autouse=True)
def no_recipes_but_the_built_in(monkeypatch):
    monkeypatch.setattr(registry, "_registered", [])


def rounded(model, step):
    """An ONNX model whose weights are multiples of `step`."""
    graph = onnx.load_from_string(model)
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim == 2:
            coarse = (np.round(values / step) * step).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(coarse, tensor.name))
    return graph.SerializeToString()


class Toy:
    """Rounded weights: coarse ones first, finer ones if those miss the gate."""

    name = "toy"
    needs_calibration = False

    def gate(self, budget):
        return budget

    def fastest(self, search):
        def candidate(step):
            return Candidate(
                description=f"weights rounded to {step:g}",
                make=lambda: rounded(search.baseline.model, step),
                closer=lambda: (candidate(step / 4 ** (n + 1)) for n in range(4)),
            )

        return [candidate(1.0)]


class Broken(Toy):
    """A recipe that does one thing wrong."""

    name = "broken"

    def __init__(self, **answers):
        self.answers = answers

    def gate(self, budget):
        return self._answer("gate", budget)

    def fastest(self, search):
        return self._answer("fastest", [Candidate(description="broken", make=self.make)])

    def make(self):
        return self._answer("make", b"no model")

    def _answer(self, method, default):
        answer = self.answers.get(method, default)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(scope="module")
def bundle(tiny, converted):
    return converted(tiny.sentence("recipe-registry", pooling="mean")).path


def test_convert_makes_a_registered_variant(toy, toy_tokenizer, tmp_path):
    register_recipe(Toy())
    report = convert(
        toy,
        tmp_path / "bundle",
        tokenizer=toy_tokenizer,
        max_tokens=20,
        quantize=["toy", "fp16"],
        budget=ANYTHING,
    )
    assert [variant.name for variant in report.variants] == ["fp32", "toy", "fp16"]
    assert report.variants[1].recipe == "weights rounded to 1"
    with Encoder.load(report.path, variant="toy", verify="golden") as encoder:
        assert encoder.encode("the cat sat").shape == (report.dim,)


def test_quantize_makes_it_too_and_goes_on_until_the_gate_is_passed(bundle, tmp_path):
    register_recipe(Toy())
    report = quantize(bundle, tmp_path / "out", quantize="toy")
    assert [variant.name for variant in report.variants] == ["fp32", "toy"]
    made = report.variants[1]
    assert made.fidelity.mean_cosine >= Budget().mean_cosine
    assert len(report.trials) > 1
    assert [trial.chosen for trial in report.trials].count("toy") == 1


def test_one_that_misses_the_gate_is_refused_with_its_closest_trial(bundle, tmp_path):
    register_recipe(Toy())
    with pytest.raises(ConversionError, match=r"toy: none of 5 recipes meets the budget; the cl"):
        quantize(bundle, tmp_path / "out", quantize="toy", budget=Budget(mean_cosine=1.0))


def test_an_unknown_name_lists_registered_ones(bundle, tmp_path):
    register_recipe(Toy())
    with pytest.raises(InputError, match=r"quantize: expected int8, .*, fp16, toy or None"):
        quantize(bundle, tmp_path / "out", quantize="tyo")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"gate": 0.9}, r"recipe 'broken': expected a Budget or None from gate\(\), got float"),
        ({"gate": KeyError("x\ny")}, "recipe 'broken': KeyError: 'x"),
        ({"fastest": []}, r"expected at least one Candidate from fastest\(\), got none"),
        ({"fastest": ["int8"]}, r"'broken': expected Candidates from fastest\(\), got str"),
        ({"fastest": None}, "recipe 'broken': "),
        ({"fastest": RuntimeError("no")}, "recipe 'broken': RuntimeError: no"),
        ({"make": None}, r"'broken': .* as bytes from make\(\), got NoneType"),
        ({"make": b"no model"}, "recipe 'broken': the new model: onnxruntime could not load it"),
        ({"make": ZeroDivisionError()}, "recipe 'broken': ZeroDivisionError"),
        ({"make": ConversionError("too wide")}, "^too wide$"),
    ],
)
def test_a_recipe_that_lies_is_named_in_one_line(answers, message, bundle, tmp_path):
    register_recipe(Broken(**answers))
    with pytest.raises(ConversionError, match=message) as caught:
        quantize(bundle, tmp_path / "out", quantize="broken")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def altered(**attributes):
    recipe = Toy()
    for name, value in attributes.items():
        setattr(recipe, name, value)
    return recipe


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (altered(name=5), "recipe: expected a name of lowercase letters, .*, got 5"),
        (altered(name="Toy 4"), "recipe: expected a name of lowercase letters, .*, got 'Toy 4'"),
        (altered(name="../toy"), "recipe: expected a name of lowercase letters"),
        (altered(name="int8"), "recipe 'int8': expected a name that is not taken"),
        (altered(name="fp32"), "recipe 'fp32': expected a name that is not taken"),
        (altered(needs_calibration="no"), "recipe 'toy': expected needs_calibration to be True"),
        (altered(gate=None), r"recipe 'toy': expected a method gate\(\), found none"),
        (object(), "recipe: expected a name of lowercase letters, .*, got None"),
    ],
)
def test_what_is_no_recipe_is_refused_at_once(recipe, message):
    with pytest.raises(InputError, match=message):
        register_recipe(recipe)


def test_a_name_is_registered_once():
    register_recipe(Toy())
    with pytest.raises(InputError, match="recipe 'toy': expected a name that is not taken"):
        register_recipe(Toy())
