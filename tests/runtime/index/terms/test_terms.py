import tracemalloc

import pytest

from edgeembed_runtime.index.terms.terms import table_row, terms


def words(text):
    return [word for term in terms(text) for word in term.words]


def names(text):
    return [name for term in terms(text) for name in term.names]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("C, C++ and C#", ["c", "c++", "and", "c#"]),
        ("C++17 F#.", ["c++", "17", "f#"]),
        (".NET", ["net"]),
        ("#1 of #tags", ["1", "of", "tags"]),
        ("it (or, that) 'is' …", ["it", "or", "that", "is"]),
        ("rm -rf --help", ["rm", "rf", "help"]),
        ("यह हिन्दी है।", ["यह", "हिन्दी", "है"]),
        ("ދިވެހި ބަސް", ["ދިވެހި", "ބަސް"]),
        ("а҃бв", ["абв"]),
        ("🤔 ok 👨‍👩‍👧", ["🤔", "ok", "👨", "👩", "👧"]),
        ("x", ["x"]),
        ("語", ["語"]),
        ("", []),
        ("... --- ___ +++ ###", []),
    ],
)
def test_words(text, found):
    assert words(text) == found
    assert names(text) == []


@pytest.mark.parametrize(
    ("text", "parts", "whole"),
    [
        ("snake_case", ["snake", "case"], ["snake_case", "snakecase"]),
        ("camelCase", ["camel", "case"], ["camelcase"]),
        ("HTTPServer", ["http", "server"], ["httpserver"]),
        ("v2.13.1", ["v2", "13", "1"], ["v2.13.1", "v2131"]),
        ("ASP.NET", ["asp", "net"], ["asp.net", "aspnet"]),
        ("e-mail", ["e", "mail"], ["e-mail", "email"]),
        ("a.b@c.org", ["a", "b", "c", "org"], ["a.b@c.org", "abcorg"]),
        ("src/main.c", ["src", "main", "c"], ["src/main.c", "srcmainc"]),
        ("don’t", ["don", "t"], ["don't", "dont"]),
        ("l'été", ["l", "ete"], ["l'ete", "lete"]),
        ("1,000", ["1", "000"], ["1,000", "1000"]),
        ("__init__", [], []),
        ("notes.md#0", ["notes", "md"], ["notes.md", "notesmd"]),
    ],
)
def test_names_are_whole_and_in_parts(text, parts, whole):
    assert words(text)[: len(parts)] == parts
    assert names(text) == whole


def test_a_url_is_found_by_its_parts():
    found = words("see https://docs.example.org/en/latest?q=fox&lang=de")
    assert {"https", "docs", "example", "org", "latest", "fox", "lang", "de"} <= set(found)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("我住在東京都。", ["東京", "京都"]),
        ("これはペンです", ["ペン"]),
        ("ฉันรักแมว", ["แม", "มว"]),
        ("한국어를 배운다", ["한국", "국어"]),
        ("中文abc中文", ["中文", "abc"]),
        ("𠮷野家", ["𠮷野", "野家"]),
    ],
)
def test_scripts_without_spaces_are_cut_into_pairs(text, inside):
    assert set(inside) <= set(words(text))


def test_the_rows_of_the_table_are_terms_in_order_and_names_apart():
    assert table_row("Use snake_case in C++") == ("use snake case in c++", "snake_case snakecase")


N = 1_000_000
SHAPES = {
    "one word": "a" * N,
    "dots": "." * N,
    "marks": "\u0301\u0323" * (N // 2),
    "underscores": "_" * N,
    "underscores behind a letter": "é" + "_" * N,
    "connectors": "-_./@:&'" * (N // 8),
    "one name": "a-" * (N // 2),
    "changing case": "aB" * (N // 2),
    "pluses": "+" * N,
    "digits and commas": "1," * (N // 2),
    "one run without spaces": "東京" * (N // 6),
    "pointed letters": "ש\u05c1" * (N // 4),
    "emoji": "😀" * (N // 4),
    "blanks": " " * N,
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_a_huge_text_of_any_shape_is_read_in_bounded_memory(shape):
    # What takes more than linear time takes hours here.
    tracemalloc.start()
    row = table_row(SHAPES[shape])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(map(len, row)) <= 3 * N
    assert peak < 60 * N
