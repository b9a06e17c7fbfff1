"""HTML: main text in, scripts and menus out, nothing lost of a short page."""

import pytest

from edgeembed.ingest.readers.base.protocol import MAX_BLOCK, Reason, SkippedError
from helpers.documents.one_file import blocks, read, text

MENU = "".join(f"<a href='/{n}'>Menu {n}</a>" for n in range(20))
LIST = "<ul>" + "".join(f"<li><a href='/{n}'>Item {n}</a></li>" for n in range(20)) + "</ul>"


def page(body, head=""):
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode()


@pytest.mark.parametrize(
    "noise",
    [
        "<script>var a = '<p>no</p>'</script>",
        "<style>p { color: red }</style>",
        f"<nav>{MENU}</nav>",
        f"<div role='navigation'>Go to {MENU}</div>",
        f"<div>{MENU}</div>",
        LIST,
        "<a href='#main'>Skip to main content</a>",
        "<p hidden>no</p>",
        "<p style='display: none'>no</p>",
        "<template><p>no</p></template>",
        "<svg><title>no</title><text>no</text></svg>",
        "<select><option>no<option>no</select>",
        "<!-- no -->",
        "<noscript>Please enable JavaScript</noscript>",
    ],
)
def test_what_is_no_text_is_left_out(noise):
    assert text("a.html", page(f"{noise}<p>The boiler.</p>{noise}<p>The wine.</p>")) == (
        "The boiler.\n\nThe wine."
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"just words", "just words"),
        (b"<p>one", "one"),
        (b"<html><body>a<br>b &amp; c</body></html>", "a\nb & c"),
        (b"<b>bold</b> and <a href='x'>a link</a>", "bold and a link"),
        (b"<p><a href='x'>See the report</a></p>", "See the report"),
        (page(f"<nav>{MENU}</nav>"), "".join(f"Menu {n}" for n in range(20))),
        (
            page(f"<h1>Bookmarks</h1>{LIST}"),
            "Bookmarks\n\n" + "\n".join(f"Item {n}" for n in range(20)),
        ),
        (b"<div><span>in</span>line<div>block</div>tail</div>", "inline\n\nblock\n\ntail"),
        (b"<pre>def f():\n    pass</pre>", "def f():\n    pass"),
        (b"<textarea>kept</textarea>", "kept"),
        (b"Mr&nbsp;H&uuml;ber", "Mr Hüber"),
    ],
)
def test_a_short_page_loses_nothing(data, expected):
    assert text("a.html", data) == expected


def test_sections_title_and_metadata():
    head = (
        "<title>\n Boiler\n service </title><meta name=author content='Ann Grün'>"
        "<meta property='article:published_time' content='2024-07-31T10:00:00Z'>"
    )
    body = "<h1>House</h1><p>a</p><h2>Cellar</h2><p>b</p><ul><li>c<li>d</ul>"
    found = blocks("a.html", page(body, head))
    assert [(b.headings, b.text) for b in found] == [
        (("House",), "House\n\na"),
        (("House", "Cellar"), "Cellar\n\nb\nc\nd"),
    ]
    assert {b.title for b in found} == {"Boiler service"}
    assert found[0].metadata == {"author": "Ann Grün", "date": "2024-07-31"}


def test_tables_of_data_and_of_layout():
    rows = "".join(f"<tr><td>{name}<td>{age}" for name, age in (("Ann", 30), ("Bob", 40)))
    data = f"<table><tr><th>Name<th>Age{rows}</table>"
    layout = f"<table><tr><td><h2>Left</h2>{'word ' * 300}<td>{data}</table>"
    assert text("a.html", page(f"before{data}after")) == (
        "before\n\nName; Age\nName: Ann; Age: 30\nName: Bob; Age: 40\n\nafter"
    )
    assert "Name: Ann; Age: 30" in text("a.html", page(layout))


def test_a_long_table_keeps_the_names_of_its_columns():
    rows = "".join(f"<tr><td>Ann {n}</td><td>{n}</td></tr>" for n in range(5_000))
    found = blocks("a.html", page(f"<table><tr><th>Name</th><th>Age</th></tr>{rows}</table>"))
    lines = [line for block in found for line in block.text.split("\n") if line]
    assert lines[-1] == "Name: Ann 4999; Age: 4999"
    assert len(lines) == 5_001


@pytest.mark.parametrize(
    ("encoding", "head"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("cp1252", ""),
        ("cp1252", "<meta charset=iso-8859-1>"),
        ("shift-jis", "<meta http-equiv=Content-Type content='text/html; charset=Shift_JIS'>"),
        ("utf-8", "<meta charset=utf-16>"),
        ("utf-8", "<meta charset=unheard-of>"),
        ("utf-8", "<meta charset=base64>"),
        ("utf-8", "<meta charset=iso-8859-1>"),
        ("cp1252", "<meta charset=base64>"),
    ],
)
def test_encodings(encoding, head):
    words = "ボイラー" if encoding == "shift-jis" else "Grün"
    data = page(f"<p>{words}</p>", head).decode().encode(encoding)
    assert text("a.html", data) == words


def test_a_page_in_one_line_is_cut():
    found = blocks("a.html", page("word " * 50_000))
    assert max(len(block.text) for block in found) <= MAX_BLOCK
    assert sum(block.text.count("word") for block in found) == 50_000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<" * 100_000,
        b"<div>" * 20_000 + b"deep",
        b"<a href='" + b"x" * 1_000_000,
        b"&" * 100_000,
        b"<p>" + b"<b>" * 20_000 + b"x",
    ],
)
def test_strange_pages_end(data):
    read("a.html", data)


def test_a_binary_file_is_no_page():
    with pytest.raises(SkippedError) as caught:
        read("a.html", bytes(range(256)) * 10)
    assert caught.value.reason is Reason.NOT_TEXT


def test_text_deep_down_is_found():
    assert text("a.html", b"<div>" * 200 + b"deep") == "deep"
