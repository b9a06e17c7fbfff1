"""The one door: what `edgeembed` exports, how the names load, and that none is missing."""

import ast
import dataclasses
import inspect
import pickle
import pkgutil
import pydoc
import subprocess
import sys
import types
import typing
from pathlib import Path

import pytest

import edgeembed

OURS = ("edgeembed", "edgeembed_runtime", "edgeembed_converters")
SOURCE = Path(edgeembed.__file__).read_text(encoding="utf-8")
# Signature types that are plumbing: an encoder is loaded by Encoder.load, never made from these.
INTERNAL = {"LoadOptions", "Bundle"}


def exported():
    return {name: getattr(edgeembed, name) for name in edgeembed.__all__}


def test_the_lists_of_names_agree():
    assert len(set(edgeembed.__all__)) == len(edgeembed.__all__)
    eager = {name for name in edgeembed.__all__ if name not in edgeembed._HOMES}
    assert set(edgeembed._HOMES) | eager == set(edgeembed.__all__)
    typed = {
        (alias.name, node.module)
        for branch in ast.walk(ast.parse(SOURCE))
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == set(edgeembed._HOMES.items())


def test_dir_and_star_give_all_of_them():
    assert dir(edgeembed) == sorted(edgeembed.__all__)
    names = {}
    exec("from edgeembed import *", names)
    assert set(edgeembed.__all__) <= set(names)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'edgeembed' has no attribute 'Decoder'"):
        edgeembed.Decoder  # noqa: B018


def test_functions_and_classes_say_that_they_are_of_edgeembed():
    for name, found in exported().items():
        if typing.get_origin(found) is None and found is not typing.Any and name != "__version__":
            assert (found.__module__, found.__qualname__) == ("edgeembed", name)


def types_in(annotation):
    """The classes that an annotation names, however deep."""
    if isinstance(annotation, str):
        return
    if inspect.isclass(annotation) and not isinstance(annotation, types.GenericAlias):
        yield annotation
    for part in typing.get_args(annotation):
        parts = part if isinstance(part, list) else [part]
        for each in parts:
            yield from types_in(each)


def signatures_of(thing):
    """The functions of a function or a class that users call."""
    if inspect.isfunction(thing):
        yield thing
    if inspect.isclass(thing):
        for owner in thing.mro():
            if owner.__module__.partition(".")[0] not in OURS:
                continue
            for name, member in vars(owner).items():
                own_init = name == "__init__" and owner is thing
                if name.startswith("_") and not own_init:
                    continue
                member = member.fget if isinstance(member, property) else member
                member = getattr(member, "__func__", member)
                if inspect.isfunction(member):
                    yield member


def annotations_of(thing):
    for function in signatures_of(thing):
        yield from typing.get_type_hints(function, include_extras=True, localns=exported()).values()
    if dataclasses.is_dataclass(thing):
        yield from (field.type for field in dataclasses.fields(thing))


@pytest.mark.parametrize("name", [n for n in edgeembed.__all__ if n != "__version__"])
def test_every_type_of_a_public_signature_is_exported(name):
    public = set(map(id, exported().values()))
    missing = {
        kind.__name__
        for annotation in annotations_of(getattr(edgeembed, name))
        for kind in types_in(annotation)
        if kind.__module__.partition(".")[0] in OURS and id(kind) not in public
    }
    assert missing - INTERNAL == set()


def test_every_error_is_exported():
    import edgeembed_runtime.errors

    errors = {n for n, e in vars(edgeembed_runtime.errors).items() if isinstance(e, type)}
    assert errors <= set(edgeembed.__all__)


IN_TURN = """
import importlib, sys
import edgeembed
names = [n for n in edgeembed.__all__ if n in edgeembed._HOMES]
first = sys.argv[1]
getattr(edgeembed, first)
for name in names:
    found = getattr(edgeembed, name)
    home = importlib.import_module(edgeembed._HOMES[name])
    assert found is getattr(home, name), (first, name, found)
assert getattr(edgeembed, first) is getattr(sys.modules[edgeembed._HOMES[first]], first)
"""


def homes():
    """One name of each home: names of one module are loaded by the same import."""
    return sorted({home: name for name, home in edgeembed._HOMES.items()}.values())


@pytest.mark.slow
@pytest.mark.parametrize("first", homes())
def test_names_load_in_every_pairwise_order_in_a_fresh_process(first):
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN, first],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_submodule_hides_a_public_name():
    modules = {module.name for module in pkgutil.iter_modules(edgeembed.__path__)}
    assert modules.isdisjoint(edgeembed.__all__)


def test_help_is_there_for_all_of_it():
    text = pydoc.plain(pydoc.render_doc(edgeembed))
    for name, found in exported().items():
        if inspect.isclass(found) or inspect.isfunction(found):
            assert name in text
            assert inspect.getdoc(found), name


def test_results_and_settings_survive_pickling():
    settings = edgeembed.IndexSettings(seal_rows=7)
    hit = edgeembed.Hit(key="a", score=0.5, document=None, metadata=None)
    for thing in (settings, hit, edgeembed.Budget(), edgeembed.InputError("no")):
        copy = pickle.loads(pickle.dumps(thing))
        assert type(copy) is type(thing)
        assert str(copy) == str(thing)
    assert pickle.loads(pickle.dumps(edgeembed.Encoder)) is edgeembed.Encoder


def test_settings_and_results_are_frozen_and_take_keywords_only():
    for name, found in exported().items():
        if dataclasses.is_dataclass(found):
            settings = found.__dataclass_params__  # pyright: ignore[reportAttributeAccessIssue]
            assert settings.frozen, name
            assert all(field.kw_only for field in dataclasses.fields(found)), name
