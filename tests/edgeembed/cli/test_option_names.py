"""One name for one thing: an option is called like the parameter that it stands for."""

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import typer

import edgeembed
from edgeembed import Budget, Encoder, Index, TrainingObjective, TrainingSettings
from edgeembed.cli.app import COMMANDS, app
from edgeembed.cli.shared.wording import in_options, option_names

BOUNDS = tuple(field.name for field in dataclasses.fields(Budget))
SETTINGS = tuple(field.name for field in dataclasses.fields(TrainingSettings))
OBJECTIVE = tuple(field.name for field in dataclasses.fields(TrainingObjective))
# What each command calls, and groups of settings that it takes one by one.
STANDS_FOR = {
    "convert": ((edgeembed.convert, edgeembed.import_word_vectors), BOUNDS),
    "quantize": ((edgeembed.quantize,), BOUNDS),
    "train": ((edgeembed.train,), BOUNDS + SETTINGS + OBJECTIVE),
    "distill student": ((edgeembed.distill_student,), BOUNDS + SETTINGS),
    "distill static": ((edgeembed.distill_static,), SETTINGS),
    "embed": ((Encoder.load, Encoder.encode), ()),
    "index": ((Encoder.load, Encoder.chunk, Index.open), ()),
    "search": ((Encoder.load, Index.search), ()),
}
# What only the command line has: files to read and write, and what people want to see.
ONLY_HERE = {
    "convert": set(),
    "quantize": {"html"},
    "train": set(),
    "distill student": set(),
    "distill static": set(),
    "embed": {"output", "jsonl", "field", "query", "overwrite"},
    "index": {
        *("index", "model", "field", "all", "watch", "fast", "deepen"),
        *("include", "exclude", "hidden", "follow-links", "verbose", "code"),
    },
    "search": {
        *("index", "model", "image", "per-file", "html", "full", "open", "overwrite"),
        *("code", "like"),
    },
}
# What only Python has: live objects, callbacks, and what no command has needed so far.
ONLY_IN_PYTHON = {
    "convert": {
        *("budget", "prompts", "tokenizer", "preprocess", "example_inputs", "on_step"),
        *("lowercase", "split_punctuation"),
    },
    "quantize": {"budget", "on_step"},
    "train": {
        *("objective", "settings", "budget", "on_step", "on_progress"),
        *("weight_decay", "warmup", "gradient_clip"),
    },
    "distill student": {
        *("losses", "settings", "budget", "on_step", "on_teacher", "on_progress"),
        *("weight_decay", "warmup", "evaluate_every", "patience", "gradient_clip"),
    },
    "distill static": {
        *("losses", "settings", "notes", "on_step", "on_teacher", "on_progress"),
        *("weight_decay", "warmup", "evaluate_every", "patience", "gradient_clip"),
        *("learning_rate", "batch_size", "device", "precision"),
    },
}
FUNCTIONS = {name: each for named in COMMANDS.values() for name, each in named.items()}


def options_of(name):
    return {option.lstrip("-") for option in option_names(FUNCTIONS[name]).values()}


def parameters_of(name):
    functions, groups = STANDS_FOR[name]
    found = {p.name: p for each in functions for p in inspect.signature(each).parameters.values()}
    return found, groups


def keywords_of(name):
    found, groups = parameters_of(name)
    return {n for n, p in found.items() if p.kind is p.KEYWORD_ONLY} | set(groups)


@pytest.mark.parametrize("name", STANDS_FOR)
def test_options_are_called_like_parameters(name):
    found, groups = parameters_of(name)
    parameters = {each.replace("_", "-") for each in (*found, *groups)}
    assert options_of(name) - parameters == ONLY_HERE[name] | {"json"}


@pytest.mark.parametrize("name", ONLY_IN_PYTHON)
def test_what_a_command_lacks_is_listed(name):
    options = {option.replace("-", "_") for option in options_of(name)}
    assert keywords_of(name) - options == ONLY_IN_PYTHON[name]


@pytest.mark.parametrize("name", STANDS_FOR)
def test_options_have_the_defaults_of_parameters(name):
    found, _ = parameters_of(name)
    for parameter in inspect.signature(FUNCTIONS[name]).parameters.values():
        ours, theirs = parameter.default, found.get(parameter.name)
        if theirs is not None and ours not in (None, inspect.Parameter.empty):
            assert ours == theirs.default or ours == str(theirs.default), parameter.name


@pytest.mark.parametrize("name", ["train", "distill student", "distill static"])
def test_training_settings_have_the_defaults_of_the_function(name):
    (function,), _ = STANDS_FOR[name]
    settings = inspect.signature(function).parameters["settings"].default or TrainingSettings()
    for parameter in inspect.signature(FUNCTIONS[name]).parameters.values():
        if parameter.name in SETTINGS:
            assert parameter.default == getattr(settings, parameter.name), parameter.name


def commands(group: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} ")
        else:
            yield f"{prefix}{name}", command


def test_the_table_is_what_runs():
    assert {name for name, _ in commands()} == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_option_names_are_what_the_command_line_takes(name):
    taken = {
        parameter.name: parameter.opts
        for parameter in dict(commands())[name].params
        if parameter.param_type_name == "option"
    }
    known = option_names(FUNCTIONS[name])
    assert set(taken) - {"help"} == set(known)
    for parameter, option in known.items():
        assert option in taken[parameter]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_command_has_json_an_example_and_help_for_every_option(name, run):
    assert option_names(FUNCTIONS[name])["as_json"] == "--json"
    result = run(*name.split(), "--help")
    assert result.exit_code == 0
    assert f"edgeembed {name}" in result.stdout.partition("Example")[2]
    for parameter in dict(commands())[name].params:
        if parameter.name != "help":
            assert parameter.help, parameter.name


OPTIONS = {"max_tokens": "--max-tokens", "overwrite": "--overwrite", "mean_cosine": "--mean-cosine"}
OPTIONS |= {"exporter": "--exporter", "k": "-k"}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("max_tokens: expected 1 or more, got 0", "--max-tokens: expected 1 or more, got 0"),
        ("budget: mean_cosine: expected a number", "--mean-cosine: expected a number"),
        ("out: there is a bundle; use overwrite=True", "out: there is a bundle; use --overwrite"),
        ("try exporter='optimum', or report it", "try --exporter optimum, or report it"),
        ("(exporter=\"optimum\") got overwrite=False", "(--exporter optimum) got no --overwrite"),
        ("k: expected 1 or more", "-k: expected 1 or more"),
        ("output: expected a directory", "output: expected a directory"),
        ("open it with mode='rw'", "open it with mode='rw'"),
        ("a/overwrite=True: no such file", "a/overwrite=True: no such file"),
        ("the max_tokens: of a model", "the max_tokens: of a model"),
    ],
)  # fmt: skip
def test_messages_name_options(message, expected):
    assert in_options(message, OPTIONS) == expected


def test_a_bundle_that_is_there_is_replaced_with_overwrite(fails, run, tiny_path, tmp_path):
    arguments = ("quantize", tiny_path, tmp_path / "out", "--quantize", "fp16")
    assert run(*arguments).exit_code == 0
    line = fails(*arguments)
    assert "--overwrite" in line
    assert "overwrite=True" not in line
    assert run(*arguments, "--overwrite").exit_code == 0


@pytest.mark.parametrize("bound", BOUNDS)
def test_every_bound_of_the_budget_is_an_option(fails, tiny_path, tmp_path, bound):
    option = f"--{bound.replace('_', '-')}"
    line = fails("quantize", tiny_path, tmp_path / "out", option, "7")
    assert f"{option}: expected a number of 0 to 1, got 7" in line
