"""Hits with the same text, folded into one."""

from edgeembed import Hit
from edgeembed.results.duplicates import fold, search_folded


def hit(key, document, cosine=None):
    return Hit(key=key, score=1.0, document=document, metadata=None, cosine=cosine)


def keys(folded):
    return [(each.hit.key, [other.key for other in each.others]) for each in folded]


def test_the_same_text_up_to_white_space_and_case_becomes_one_hit():
    hits = [hit("a", "Some  text\n"), hit("b", "other"), hit("c", " some TEXT"), hit("d", "text")]
    assert keys(fold(hits)) == [("a", ["c"]), ("b", []), ("d", [])]


def test_hits_without_text_stay_apart():
    assert keys(fold([hit("a", None), hit("b", None), hit("c", " ")])) == [
        ("a", []),
        ("b", []),
        ("c", []),
    ]


def test_cosines_that_differ_keep_equal_texts_apart():
    hits = [hit("a", "run it", 0.9), hit("b", "run it", 0.5), hit("c", "run it", 0.52)]
    assert keys(fold(hits)) == [("a", []), ("b", ["c"])]
    assert keys(fold([hit("a", "run it", 0.9), hit("b", "run it")])) == [("a", ["b"])]


def test_a_search_looks_deeper_where_copies_take_the_places():
    copies = [hit(f"copy {n}", "same") for n in range(4)]
    others = [hit(f"other {n}", f"text {n}") for n in range(10)]
    depths = []

    def search(depth):
        depths.append(depth)
        return [*copies, *others][:depth]

    found = search_folded(search, 3)
    assert [each.hit.key for each in found] == ["copy 0", "other 0", "other 1"]
    assert depths == [3, 6]


def test_a_search_of_nothing_but_copies_ends():
    depths = []

    def search(depth):
        depths.append(depth)
        return [hit(f"copy {n}", "same") for n in range(depth)]

    assert len(search_folded(search, 5)) == 1
    assert len(depths) <= 4
