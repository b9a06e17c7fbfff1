"""The texts of the demo."""

import sys

import pytest

from edgeembed.demo.stdlib_docs import FunctionDoc, stdlib_functions


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


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("Return a copy of the text. With details.", "Return a copy of the text."),
        ("Open e.g. a page in the browser! More.", "Open e.g. a page in the browser!"),
        (
            "S.strip() -> str. Remove what is around. More.",
            "S.strip() -> str. Remove what is around.",
        ),
        ("no end at all", "no end at all"),
        ("Short. But then more follows.", "Short. But then more follows."),
    ],
)
def test_a_summary_is_the_first_sentence_that_says_something(text, summary):
    doc = FunctionDoc(name="a.b", text=f"a.b: {text}", module="a")
    assert doc.summary == f"a.b: {summary}"
