"""What `edgeembed search` shows: blocks on a terminal, lines elsewhere, JSON, a page."""

import io
import json
import os
import sys
import time

import pytest
from rich.console import Console

from edgeembed import Encoder, Hit
from edgeembed.cli.search import demo
from edgeembed.cli.search.show_answers import lines_of, print_blocks
from edgeembed.results.answers import answers_of
from edgeembed.results.duplicates import fold

EVIL = "cat \x1b[31mred \x1b]0;title\x07 \x9b31m \u202e and\r\nmore"


def hit(key="k", document: str | None = "The cat sat. A dog ran.", metadata=None, **fields):
    return Hit(key=key, score=0.5, document=document, metadata=metadata, **fields)


def shown(query, *hits, color=False, full=False, encoding="utf-8"):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    console = Console(
        file=stream,
        width=80,
        force_terminal=color,
        color_system="standard" if color else None,
        markup=False,
        emoji=False,
        _environ={},
    )
    print_blocks(console, answers_of(query, fold(hits)), full=full)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


def test_a_place_is_a_link_where_the_file_is_there_and_the_terminal_can(tmp_path):
    path = tmp_path / "a b.md"
    path.write_text("The cat sat.")
    metadata = {"source": str(path), "line": 1}
    assert "\x1b]8;id=" in shown("cat", hit(metadata=metadata), color=True)
    assert path.as_uri() in shown("cat", hit(metadata=metadata), color=True)
    assert "\x1b]8" not in shown("cat", hit(metadata={**metadata, "source": "gone"}), color=True)
    assert "\x1b" not in shown("cat", hit(metadata=metadata))


@pytest.mark.skipif(sys.platform != "linux", reason="the viewer of other systems is another")
def test_a_result_is_opened_by_the_systems_viewer(
    run, fails, indexed, notes, tmp_path, monkeypatch
):
    viewer = tmp_path / "bin" / "xdg-open"
    viewer.parent.mkdir()
    viewer.write_text(
        f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/part && mv {tmp_path}/part {tmp_path}/opened\n'
    )
    viewer.chmod(0o755)
    monkeypatch.setenv("PATH", str(viewer.parent), prepend=os.pathsep)
    ask = ("search", "the cat sat on the mat", "--mode", "keyword", "-i", indexed)
    result = run(*ask, "--open", "1")
    assert result.exit_code == 0, result.stderr
    deadline = time.monotonic() + 60
    while not (tmp_path / "opened").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (tmp_path / "opened").read_text() == str(notes / "cats.md")
    assert "--open: expected a result from 1 to" in result_line(run(*ask, "--open", "50"))
    assert "words to search for" in fails("search", "--open", "1", "-i", indexed)


def result_line(result):
    assert result.exit_code == 1
    return result.stderr.splitlines()[-1]


def test_a_block_has_rank_place_headings_passage_and_copies():
    metadata = {"source": "a.md", "line": 3, "headings": ["Pets", "Cats"]}
    text = shown("cat", hit(metadata=metadata), hit("copy", "the CAT sat. a dog ran."))
    assert text.splitlines() == [
        " 1  0.500  a.md:3",
        "    Pets > Cats",
        "    The cat sat. A dog ran.",
        "    also in: copy",
        "",
    ]


def test_the_best_sentence_is_bold_and_the_words_are_underlined():
    assert "\x1b[1mThe \x1b[0m\x1b[1;4;36mcat\x1b[0m\x1b[1m sat.\x1b[0m" in shown(
        "cat", hit(), color=True
    )


def test_without_a_color_terminal_there_is_nothing_but_text():
    assert "\x1b" not in shown("cat", hit(before="before", after="after", probability=0.9))


def test_a_probability_is_a_bar_and_a_word_in_place_of_the_score():
    first = shown("cat", hit(probability=0.62)).splitlines()[0]
    assert first == " 1  ■■■□□ likely    k"
    first = shown("cat", hit(probability=0.62), encoding="ascii").splitlines()[0]
    assert first == " 1  ###-- likely    k"


def test_nothing_that_fits_is_said_first_and_the_nearest_is_dimmed():
    lines = shown("dog food", hit(probability=0.1), color=True).splitlines()
    assert "Nothing that fits" in lines[0]
    assert "\x1b[2" in "".join(lines[3:])
    assert "Nothing that fits" not in shown("cat", hit(probability=0.3))
    assert "Nothing that fits" not in shown("cat", hit())


def test_long_passages_are_cut_around_the_best_sentence_unless_all_is_asked_for():
    long = "Much else is said. " * 60 + "The cat sat.\n\n" + "And more. " * 60
    assert "The cat sat." in shown("cat", hit(document=long))
    assert len(shown("cat", hit(document=long))) < 500
    assert len(shown("cat", hit(document=long), full=True)) > len(long)


@pytest.mark.parametrize("full", [False, True])
def test_no_escape_sequence_of_a_document_reaches_the_terminal(full):
    evil = hit(EVIL, EVIL, {"source": EVIL, "line": 1, "headings": [EVIL]}, before=EVIL, after=EVIL)
    text = shown("cat", evil, hit("copy\x1b[2J", EVIL), full=full)
    assert not set(text) & set("\x1b\x07\x9b\u202e\r")
    (line,) = lines_of(answers_of("cat", fold([evil])), full=full)
    assert not set(line) & set("\x1b\x07\x9b\u202e\r\n")


def test_a_line_is_three_fields_whatever_is_in_them():
    hits = [hit("a\tb\nc", "one\ttwo\nthree"), hit("d", None)]
    lines = lines_of(answers_of("two", fold(hits)))
    assert [line.split("\t") for line in lines] == [
        ["a b c", "0.500", "one two three"],
        ["d", "0.500", ""],
    ]


def test_elsewhere_than_on_a_terminal_every_result_is_one_line(run, indexed, notes):
    result = run("search", "the train leaves", "-i", indexed, "-k", 3)
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    place, score, text = lines[0].split("\t")
    assert place == f"{notes}/trains.txt:1"
    assert float(score) > 0
    assert text.startswith("The train leaves the station at noon.")


def test_json_has_every_field_the_best_sentence_and_the_copies(run_json, run, tiny_path, tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("The cat sat on the mat.")
    run("index", "a.txt", "b.txt", "-m", tiny_path)
    found = run_json("search", "the cat")
    (only,) = found["hits"]
    assert only["best_sentence"] == "The cat sat on the mat."
    assert [other["location"] for other in only["also_in"]] == ["b.txt:1"]
    assert set(only) >= {
        *("key", "score", "document", "metadata", "title", "cosine", "probability"),
        *("before", "after"),
    }
    assert found["nothing_fits"] is False


def test_neighbors_are_shown_on_request(run_json, run, tiny_path, tmp_path):
    text = "The cat sat. " * 5 + "A train leaves the station. " * 5 + "Soup is cooked. " * 5
    (tmp_path / "a.txt").write_text(text)
    run("index", "a.txt", "-m", tiny_path, "--max-tokens", 16, "--overlap-tokens", 4)
    alone = run_json("search", "a train leaves", "-k", 50)["hits"]
    assert {(each["before"], each["after"]) for each in alone} == {("", "")}
    for count in (1, 2, 5):
        for each in run_json("search", "a train leaves", "-k", 50, "--context", count)["hits"]:
            around = each["before"] + each["document"] + each["after"]
            assert "".join(around.split()) in "".join(text.split())
            middle = each["metadata"]["start"] > 0 and each["metadata"]["end"] < len(text) - 1
            assert not middle or (each["before"] and each["after"])


@pytest.mark.parametrize("count", ["-1", "6", "many"])
def test_context_out_of_range_is_refused(run, indexed, count):
    result = run("search", "cat", "-i", indexed, "--context", count)
    assert result.exit_code == 2
    assert "--context" in result.stderr


def test_html_is_a_page_of_texts(run, indexed, tmp_path):
    page = tmp_path / "found.html"
    result = run("search", "the cat", "-i", indexed, "--html", page)
    assert result.exit_code == 0, result.stderr
    source = page.read_text(encoding="utf-8")
    assert "<h1" in source and "the cat" in source and "cats.md:1" in source


@pytest.mark.parametrize("options", [[], ["--json"], ["--html", "found.html"]])
def test_without_a_query_and_a_terminal_the_query_is_asked_for(run, indexed, options):
    result = run("search", "-i", indexed, *options)
    assert result.exit_code == 1
    assert "expected words to search for, --image FILE" in result.stderr


def test_demo_answers_are_blocks(capsys, tiny_path):
    found = hit("shutil.rmtree", "shutil.rmtree: Delete a directory tree.")
    with Encoder.load(tiny_path) as encoder:
        demo._show("delete a directory", [found], 1.5, encoder)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "delete a directory  1.5 ms"
    assert lines[1].split() == ["1", "0.500", "shutil.rmtree"]
    assert lines[2].strip() == "Delete a directory tree."


def test_a_hit_is_json_whatever_its_text(run_json, run, tiny_path, tmp_path):
    (tmp_path / "a.txt").write_text(EVIL, newline="")
    run("index", "a.txt", "-m", tiny_path)
    assert json.dumps(run_json("search", "cat")["hits"][0]["document"])
