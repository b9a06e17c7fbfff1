import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed_runtime.index.terms.fold import composed, fold


@given(st.text())
def test_folding_again_changes_nothing(text):
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_composed_and_decomposed_texts_are_equal(text):
    forms = {fold(unicodedata.normalize(form, text)) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    assert forms == {fold(text)}


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ("ﾊﾝｶｸ ｶﾞ", "ハンカク ガ"),
        ("İstanbul Iğdır", "istanbul igdir"),
        ("ΟΔΥΣΣΕΎΣ", fold("οδυσσεύς")),
        ("Tiếng Việt Đà Nẵng", "tieng viet da nang"),
        ("Ærøskøbing Łódź Þór", "aeroskobing lodz thor"),
        ("الْعَرَبِيَّةُ", "العربيه"),
        ("الـــعربية", "العربيه"),
        ("שָׁלוֹם", "שלום"),
        ("ё й", "е и"),
        ("ﬁne ﬂow Ⅻ", "fine flow xii"),
        ("１２ ٣٤ ५६ ๗๘", "12 34 56 78"),
        ("co\u00adop zero\u200bwidth", "coop zerowidth"),
        ("❤\ufe0f", "❤"),
    ],
)
def test_what_people_leave_out_does_not_matter(written, folded):
    assert fold(written) == folded


@pytest.mark.parametrize(
    ("left", "right"), [("कि", "का"), ("か", "が"), ("ไม่", "ไม้"), ("가", "까")]
)
def test_marks_that_make_another_letter_stay(left, right):
    assert fold(left) != fold(right)
    assert all(fold(each) == each for each in (left, right))


def test_marks_beyond_any_letter_are_left_out():
    assert composed("a" + "\u0301" * 1000) == composed("a" + "\u0301" * 30)
