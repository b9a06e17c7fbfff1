"""Front matter, LaTeX and subtitles: words without marks, with what stands around them."""

import pytest

from edgeembed.ingest.readers.base.protocol import Reason
from helpers.readers.reading import read_bytes, told

NOTE = """---
title: "The boiler"
tags: home, heating
date: 2024-03-05
rating: 4.5
author: {name: Ann, born: 1980-01-02}
---
# Service

It was serviced by Mr Huber.
"""


def test_front_matter_is_metadata_and_not_text(tmp_path):
    (block,), remarks = read_bytes(tmp_path, "a.md", NOTE)
    assert remarks == []
    assert block.title == "The boiler"
    assert block.metadata == {
        "title": "The boiler",
        "tags": ["home", "heating"],
        "date": "2024-03-05",
        "rating": 4.5,
        "author": {"name": "Ann", "born": "1980-01-02"},
    }
    assert block.text.startswith("# Service")
    assert NOTE[int(block.place["start"]) :] == block.text
    assert block.place["line"] == 8


@pytest.mark.parametrize(
    ("front", "tags"),
    [
        ("tags: [a, b c]", ["a", "b c"]),
        ("tags:\n  - a\n  - b", ["a", "b"]),
        ("tags: '#a #b'", ["a", "b"]),
    ],
)
def test_tags_are_a_list_however_they_are_written(tmp_path, front, tags):
    (block,), _ = read_bytes(tmp_path, "a.md", f"---\n{front}\n---\ntext")
    assert block.metadata["tags"] == tags


def test_front_matter_in_toml(tmp_path):
    (block,), _ = read_bytes(tmp_path, "a.md", '+++\r\ntitle = "T"\r\n+++\r\ntext')
    assert (block.title, block.text) == ("T", "text")


def test_front_matter_that_cannot_be_read_is_told_and_stays_text(tmp_path):
    (block,), remarks = read_bytes(tmp_path, "a.md", "---\na: [b\n---\nthe cat")
    assert told(remarks) == [(Reason.DAMAGED, "front matter")]
    assert block.text.startswith("---")


def test_front_matter_that_is_nested_without_end_is_told_and_kills_nobody(tmp_path):
    blocks, remarks = read_bytes(tmp_path, "a.md", f"---\n{'- ' * 30_000}\n---\nthe cat")
    assert told(remarks) == [(Reason.DAMAGED, "front matter")]
    assert blocks[-1].text.endswith("the cat")


def test_rules_around_a_paragraph_are_no_front_matter(tmp_path):
    text = "---\nthe cat sat on the mat\n---\nthe dog"
    (block,), remarks = read_bytes(tmp_path, "a.md", text)
    assert (block.text, block.metadata, remarks) == (text, {}, [])


def test_aliases_of_aliases_in_front_matter_end(tmp_path):
    rows = ["a0: &a0 [x]"] + [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)
    ]
    (block,), _ = read_bytes(tmp_path, "a.md", "---\n" + "\n".join(rows) + "\n---\nthe cat")
    assert block.text == "the cat"
    assert len(str(block.metadata)) < 20_000


PAPER = r"""% a comment
\documentclass[12pt]{article}
\usepackage[utf8]{inputenc}
\title{On \emph{Boilers} in K\"oln}
\author{A. M\"uller}
\begin{document}
\maketitle
\section{Cost \& more}
The boiler~\cite{huber} costs 5\% --- ``much'' \label{x}. % hidden
See \href{https://example.org}{the page}.

\begin{itemize}
\item one $x^2$
\item two \textbf{bold \emph{words}}
\end{itemize}
\subsection*{Where}
Caf\'e na\"{\i}ve Stra\ss e, 50\,km.
\end{document}
after the end
"""


def test_latex_is_words_under_its_sections(tmp_path):
    blocks, remarks = read_bytes(tmp_path, "a.tex", PAPER)
    assert remarks == []
    assert [block.headings for block in blocks] == [
        ("Cost & more",),
        ("Cost & more", "Where"),
    ]
    assert {block.title for block in blocks} == {"On Boilers in Köln"}
    assert blocks[0].metadata == {"author": "A. Müller"}
    text = blocks[0].text
    assert text.startswith("The boiler costs 5% — “much”")
    assert "See the page." in text
    assert "two bold words" in " ".join(text.split())
    assert not set("\\{}") & set(text.replace("$x^2$", ""))
    assert "huber" not in text
    assert "hidden" not in text
    assert blocks[1].text.startswith("Café naïve Straße")
    assert [block.place["line"] for block in blocks] == [9, 17]


@pytest.mark.parametrize(
    "paper",
    [
        "\\documentclass{article}\\begin{document}\nThe boiler.\n\\end{document}",
        "\\documentclass{article}\n\\begin{document}The boiler.\\end{document}",
        "\\documentclass{article}\nThe boiler.\n",
    ],
)
def test_latex_text_is_found_wherever_the_preamble_ends(tmp_path, paper):
    blocks, _ = read_bytes(tmp_path, "a.tex", paper)
    assert "The boiler." in blocks[0].text


@pytest.mark.parametrize(
    "mark", ["\\", "{", "\\section{", "%", "\\begin{x}", "\\title{", "\\cite[", "\\\\[", "\\'"]
)
def test_latex_that_is_none_ends(tmp_path, mark):
    text = mark * (60_000 // len(mark))
    read_bytes(tmp_path, "a.tex", text)
    read_bytes(tmp_path, "a.tex", f"\\documentclass{{x}}{text}\n\\begin{{document}}\n{text}")


SUBTITLES = """1
00:00:01,000 --> 00:00:04,000
<i>The boiler is {\\an8}broken.</i>

2
00:00:05,000 --> 00:01:07,000
Call Mr Huber
at once.
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.srt", SUBTITLES), ("a.vtt", "WEBVTT\n\nNOTE x\n\n" + SUBTITLES.replace(",", "."))],
)
def test_subtitles_are_what_is_said_and_when(tmp_path, name, text):
    (block,), _ = read_bytes(tmp_path, name, text)
    assert block.text.replace(",", ".") == "The boiler is broken.\nCall Mr Huber\nat once."
    assert (block.place["time"], block.place["until"]) == ("00:00:01", "00:01:07")


def test_long_subtitles_have_a_time_for_every_passage(tmp_path):
    cues = [
        f"{n}\n00:{n // 60:02}:{n % 60:02},000 --> 00:{n // 60:02}:{n % 60:02},900\nWord {n}.\n"
        for n in range(1000)
    ]
    blocks, _ = read_bytes(tmp_path, "a.srt", "\n".join(cues))
    times = [block.place["time"] for block in blocks]
    assert len(blocks) > 8
    assert times == sorted(times)
    assert sum(block.text.count("Word") for block in blocks) == 1000


def test_after_a_long_silence_subtitles_are_about_something_else(tmp_path):
    times = (("00:00:01", "00:00:04"), ("00:00:09", "00:00:11"), ("00:01:00", "00:01:02"))
    cues = [f"{a}.000 --> {b}.000\nWord {n}.\n" for n, (a, b) in enumerate(times)]
    blocks, _ = read_bytes(tmp_path, "a.vtt", "WEBVTT\n\n" + "\n".join(cues))
    assert [(block.text, block.place["time"], block.place["line"]) for block in blocks] == [
        ("Word 0.\nWord 1.", "00:00:01", 3),
        ("Word 2.", "00:01:00", 9),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.srt", "notes that somebody called so\n\nthe boiler was serviced\n"),
        ("a.vtt", "no time 99:99 here, but the boiler was serviced\n"),
        ("a.tex", "{" * 5000 + "the boiler was serviced" + "}" * 5000),
    ],
)
def test_a_text_of_another_kind_than_its_name_says_is_still_a_text(tmp_path, name, text):
    blocks, _ = read_bytes(tmp_path, name, text)
    assert "the boiler was serviced" in "".join(block.text for block in blocks)
