"""Text of documents, made harmless for terminals."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from edgeembed.results.printable import one_line, printable, unwrapped

ANY_TEXT = st.text(st.characters())  # lone surrogates too


@given(ANY_TEXT)
def test_printable_text_has_the_same_length_and_no_control_characters(text):
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") for c in shown)
    assert not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068")
    assert "\n" not in one_line(text)


@given(st.text(st.sampled_from("ab `(#-|1\n"), max_size=300))
def test_unwrapping_turns_line_ends_into_spaces_and_changes_nothing_else(text):
    flowing = unwrapped(text)
    assert len(flowing) == len(text)
    changed = {(a, b) for a, b in zip(text, flowing, strict=True) if a != b}
    assert changed <= {("\n", " ")}


def test_wrapped_prose_flows_and_lists_tables_and_code_keep_their_lines():
    line = "this is a line of prose that somebody has wrapped at"
    assert unwrapped(f"{line}\nsome width") == f"{line} some width"
    for following in ("- an item", "| a table |", "# A heading", "```", "    code", "", "1. one"):
        assert unwrapped(f"{line}\n{following}") == f"{line}\n{following}"
    assert unwrapped(f"```\n{line}\ncode\n```") == f"```\n{line}\ncode\n```"
    assert unwrapped("a short line\nand another") == "a short line\nand another"
