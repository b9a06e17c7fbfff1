"""Patterns mean what they mean in .gitignore files, and no name takes long, whoever wrote them."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgeembed.ingest.discover.patterns import compiled

pathspec = pytest.importorskip("pathspec")
PARTS = ["*", "**/", "/", "?", "a", "b", ".", "+", r"\*", "[ab]", "[!a]", "!", "#", " "]


@given(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=9).map("".join),
    st.lists(st.text("ab/.*+", min_size=1, max_size=10), min_size=8, max_size=8),
)
@example("**/a*/**/*b*/a", ["a/x/abba/a", "xa/y/ab/b/a", "a/a/ab/a", "ab", "a", "b", "/", "."])
@example("*a*b*a", ["aba", "aaba", "abab", "a", "ba/aba", "aab", "bbaba", "a/b/a"])
def test_they_mean_what_pathspec_says(pattern, names):
    with contextlib.suppress(ValueError):  # what has no meaning, or too many sets
        found = compiled([pattern])
        plain = pathspec.GitIgnoreSpec.from_lines([pattern], backend="simple")
        for name in names:
            assert found.check_file(name).include == plain.check_file(name).include, name


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*a" * 60 + "b", "a" * 250),
        ("*a?" * 40 + "b", "a" * 250),
        ("/".join(["*a*a*a*b"] * 5), "/".join(["a" * 40 + "b"] * 4) + "/c"),
        ("**/a/" * 30 + "b", "a/" * 2000 + "c"),
        ("**/a*/**/*a*/" * 6 + "b", "a/" * 1000 + "c"),
    ],
)
def test_many_ways_to_match_are_not_tried(pattern, name):
    assert not compiled([pattern]).match_file(name)


@pytest.mark.parametrize("pattern", ["[z-a]", "*[a]*[b]*[c]x", "!", "\\"])
def test_what_has_no_meaning_or_would_take_long_is_a_value_error(pattern):
    with pytest.raises(ValueError, match=r"range|at most|Invalid"):
        compiled([pattern])
