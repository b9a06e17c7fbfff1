"""Kinds of tasks and forms of models that others register, honest ones and liars."""

import json
import math

import numpy as np
import pytest

import edgeembed.evaluate
from edgeembed.evaluate import Observed, evaluate, open_models, open_tasks
from edgeembed_runtime.errors import InputError, StorageError
from helpers.registries import keep_registries


@pytest.fixture
def register_task(monkeypatch):
    """Register kinds that are gone after the test."""
    keep_registries(monkeypatch)
    return edgeembed.evaluate.register_task


@pytest.fixture
def register_model(monkeypatch):
    """Register forms that are gone after the test."""
    keep_registries(monkeypatch)
    return edgeembed.evaluate.register_model


class Lengths:
    """How long the vectors of texts are: points of 100."""

    kind, metric, is_quality, fingerprint = "lengths", "mean length", True, None

    def __init__(self, source, result=lambda values: 100 * float(values.mean())):
        self.name = source.path.stem
        self.texts = json.loads(source.path.read_text())
        self.result = result

    def observe(self, model, on_step):
        vectors = model.encode(self.texts, "plain")
        return Observed(values=np.linalg.norm(vectors, axis=1, keepdims=True))

    def score(self, values):
        return self.result(values)

    def details(self, values):
        return {}


def is_toy(path):
    return path.suffix == ".toy"


@pytest.fixture
def toy(tmp_path):
    path = tmp_path / "words.toy"
    path.write_text(json.dumps(["a", "b"]))
    return path


@pytest.fixture
def model(chosen):
    return chosen({"a": [0.6, 0], "b": [0, 0.2]})


def test_a_registered_task_is_recognized_named_and_scored(register_task, toy, model):
    register_task("lengths", matches_path=is_toy)(Lengths)
    for name in (toy, f"lengths:{toy}"):
        (task,) = open_tasks([str(name)], model)
        assert (task.kind, task.name) == ("lengths", "words")
        result = evaluate([model], [task], draws=10)
        assert result.tasks[0].measured["chosen"].score == pytest.approx(40)


def test_a_registered_task_is_recognized_by_its_columns_and_in_folders(
    register_task, write, model, tmp_path
):
    @register_task("toy", matches_table=lambda table: table.has("toy"))
    def _(source):
        task = Lengths.__new__(Lengths)
        task.name, task.kind = source.path.stem, "toy"
        return task

    write("sets/a.jsonl", [{"toy": 1}])
    write("sets/b.tsv", ["1.5\ta\tb", "2\tc\td"])
    found = open_tasks([str(tmp_path / "sets")], model)
    assert [task.kind for task in found] == ["toy", "similarity"]


def test_a_registered_task_may_bring_data_of_its_own(register_task, toy, model):
    register_task("lengths", bundled=toy.parent)(Lengths)
    assert [task.name for task in open_tasks(["lengths"], model)] == ["words"]


def test_the_opener_gets_the_reference_and_the_seed(register_task, toy, model):
    sources = []
    register_task("lengths")(lambda source: sources.append(source) or Lengths(source))
    open_tasks([f"lengths:{toy}"], model, seed=7)
    assert (sources[0].path, sources[0].reference, sources[0].seed) == (toy, model, 7)


def test_a_kind_that_is_there_cannot_be_registered_again(register_task):
    with pytest.raises(InputError, match="task kind 'bias': expected a new name"):
        register_task("bias")


def test_data_that_two_kinds_recognize_needs_the_name_of_one(register_task, toy, model):
    register_task("lengths", matches_path=is_toy)(Lengths)
    register_task("widths", matches_path=is_toy)(Lengths)
    with pytest.raises(InputError, match=r"got lengths, widths; .* such as lengths:words\.toy"):
        open_tasks([str(toy)], model)
    assert len(open_tasks([f"widths:{toy}"], model)) == 1


@pytest.mark.parametrize(
    ("opener", "message"),
    [
        (lambda _: {}["no"], "'liar' to return a task, got KeyError: 'no'"),
        (lambda _: None, "'liar' to return a task, got NoneType without name, kind, metric"),
        (lambda source: source, "got TaskSource without name, kind, metric, is_quality"),
    ],
)
def test_an_opener_that_lies_is_one_line(register_task, toy, model, opener, message):
    register_task("liar")(opener)
    with pytest.raises(InputError, match=message) as caught:
        open_tasks([f"liar:{toy}"], model)
    assert str(toy) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_opener_may_say_what_is_wrong_itself(register_task, toy, model):
    def opener(source):
        raise StorageError(f"could not read {source.path}")

    register_task("honest")(opener)
    with pytest.raises(StorageError, match=r"could not read .*words\.toy"):
        open_tasks([f"honest:{toy}"], model)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda _: math.nan, "lengths words: expected a score, got NaN: no mean length of chosen"),
        (lambda _: "high", "lengths words: expected a number as score, got str"),
        (lambda _: None, "lengths words: expected a number as score, got NoneType"),
    ],
)
def test_a_score_that_is_no_number_is_one_line(register_task, toy, model, result, message):
    register_task("lengths")(lambda source: Lengths(source, result))
    with pytest.raises(InputError, match=message):
        evaluate([model], open_tasks([f"lengths:{toy}"], model), draws=2)


def test_models_that_give_unlike_numbers_of_rows_are_one_line(register_task, toy, model, chosen):
    class Shrinking(Lengths):
        def observe(self, model, on_step):
            rows = super().observe(model, on_step).values
            return Observed(values=rows[: 1 + (model.name == "chosen")])

    register_task("lengths")(Shrinking)
    other = chosen(model.vectors, "other")
    with pytest.raises(InputError, match="expected a row for every item from every model, got 1"):
        evaluate([model, other], open_tasks([f"lengths:{toy}"], model), draws=2)


def test_a_liar_is_one_line_on_the_command_line(register_task, toy, fails, tiny_path):
    register_task("liar")(lambda _: 1 / 0)
    line = fails("eval", tiny_path, "-t", f"liar:{toy}")
    assert "got ZeroDivisionError: division by zero" in line


def test_a_registered_model_is_opened_by_its_name(register_model, chosen):
    @register_model("a made-up model")
    def _(name):
        return [chosen({"a": [1, 0]}, name)] if name.startswith("made-up:") else None

    assert [model.name for model in open_models(["made-up:x"])] == ["made-up:x"]
    with pytest.raises(InputError, match=r"expected a bundle .* or a made-up model, found nothing"):
        open_models(["other:x"])
    with pytest.raises(InputError, match="model form 'a bundle': expected a new one"):
        register_model("a bundle")
