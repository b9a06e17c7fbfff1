"""Code without its names: copies meet, other code does not, and no text takes long."""

import pytest

from edgeembed.clones.normal_form import normal_tokens, structure_vector

CODE = """\
def add(self, items, limit=3):
    total = 0
    for item in items:  # each of them
        if item.price > limit:
            total += item.price * 2
    return total
"""
RENAMED = """\
def put(self, rows, most=9):
    # Put them.
    amount = 0
    for row in rows:
        if row.cost > most:
            amount += row.cost * 7
    return amount
"""
OTHER = """\
def close(self):
    while self._loaded:
        self._loaded.popitem()[1].close()
    self.stream = None
    raise ValueError("closed") from None
"""


def likeness(first, second):
    return float(structure_vector(normal_tokens(first)) @ structure_vector(normal_tokens(second)))


def test_a_copy_with_other_names_numbers_and_comments_is_the_same():
    assert normal_tokens(CODE) == normal_tokens(RENAMED)
    assert likeness(CODE, RENAMED) == pytest.approx(1)


def test_a_line_more_is_still_alike_and_other_code_is_not():
    assert likeness(CODE, CODE.replace("    return", "    check(total)\n    return")) > 0.85
    assert likeness(CODE, OTHER) < 0.3


@pytest.mark.parametrize(
    ("code", "tokens"),
    [
        ("a = 'x # y' + \"z // w\"", ["n", "=", "s", "+", "s"]),
        ("x // y\n/* z\n z */ + 1.5e3", ["n", "+", "0"]),
        ("# x\n'''a\n'b' c''' y", ["s", "n"]),
        ("#include <a.h>", ["#", "n", "<", "n", ".", "n", ">"]),
        ("for größe in 名前:", ["for", "n", "in", "n", ":"]),
        ("SELECT x FROM y WHERE z", ["SELECT", "n", "FROM", "n", "WHERE", "n"]),
        ("", []),
    ],
)
def test_tokens_are_what_the_code_says(code, tokens):
    assert normal_tokens(code) == tokens


@pytest.mark.parametrize("begin", ['"', "'''", "/*", "`\\", "(", "a", "\\", "-", "#", "1.", "\0"])
def test_code_that_never_closes_ends_all_the_same(begin):
    tokens = normal_tokens(begin * 50_000)
    assert len(tokens) <= 100_000
    assert structure_vector(tokens).shape == (1024,)


def test_too_little_code_has_no_structure():
    assert not structure_vector(normal_tokens("a = 1")).any()
