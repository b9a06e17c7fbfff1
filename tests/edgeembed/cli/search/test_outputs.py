"""Files that commands write: none replaces another unasked, and none is indexed."""

import json
from pathlib import Path

import numpy as np
import pytest

from edgeembed.export.outputs import check_free, is_own_output, write_html, wrote
from edgeembed_runtime.errors import StorageError

MINE = "<h1>my own</h1>"


def test_an_export_does_not_replace_the_records_beside_it(run, fails, indexed):
    Path("people.jsonl").write_text(MINE)
    line = fails("export", indexed, "-o", "people.npy")
    assert line.startswith("edgeembed: people.jsonl: a file is there already")
    assert "--overwrite" in line
    assert Path("people.jsonl").read_text() == MINE
    assert not Path("people.npy").exists()
    assert run("export", indexed, "-o", "people.npy", "--overwrite").exit_code == 0
    assert is_own_output(Path("people.jsonl").read_bytes())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("map.html", ("map", "{indexed}")),
        ("found.html", ("search", "cat", "-i", "{indexed}", "--html", "found.html")),
        ("out.parquet", ("export", "{indexed}", "-o", "out.parquet")),
        ("out.jsonl", ("embed", "{notes}/cats.md", "-o", "out.jsonl")),
        ("p.html", ("dedupe", "{notes}", "--html", "p.html")),
        ("p.html", ("eval", "{bundle}", "-t", "bias", "--html", "p.html")),
        ("p.html", ("quantize", "{bundle}", "made", "--html", "p.html")),
        (
            "c.png",
            ("train", "{bundle}", "{notes}/cats.md", "made", "--learning-curve", "c.png"),
        ),
        (
            "c.png",
            (
                "distill",
                "static",
                "{bundle}",
                "{notes}/cats.md",
                "made",
                "--learning-curve",
                "c.png",
            ),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_no_command_replaces_a_file_unasked(
    fails, indexed, notes, tiny_path, tmp_path, name, arguments
):
    (tmp_path / name).write_text(MINE)
    paths = {"indexed": indexed, "notes": notes, "bundle": tiny_path}
    line = fails(*(argument.format(**paths) for argument in arguments))
    assert f"{name}: a file is there already" in line
    assert "--overwrite" in line
    assert (tmp_path / name).read_text() == MINE
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "cat", "-i", "{indexed}", "--html", "page.html"),
        ("map", "{indexed}", "-o", "page.html"),
        ("embed", "{bundle}", "{notes}/cats.md", "-o", "page.jsonl"),
    ],
    ids=lambda value: value[0],
)
def test_what_a_command_wrote_says_so_and_is_replaced_on_request(
    run, indexed, notes, tiny_path, arguments
):
    paths = {"indexed": indexed, "notes": notes, "bundle": tiny_path}
    arguments = [argument.format(**paths) for argument in arguments]
    for options in ([], ["--overwrite"]):
        assert run(*arguments, *options).exit_code == 0
        assert is_own_output(Path(arguments[-1]).read_bytes())
    assert run(*arguments).exit_code == 1


@pytest.mark.parametrize(
    "mine",
    [
        b"",
        b'# A page\nhas <meta name="generator" content="edgeembed"> in its head.\n',
        b'<html><head><meta name="generator" content="other"></head>',
        b'{"text": "written_by edgeembed"}\n',
        b'{"key": "a", "document": "b"}\n',
    ],
)
def test_files_of_the_users_are_not_taken_for_ours(mine):
    assert not is_own_output(mine)


@pytest.mark.parametrize("page", ["<html><head></head>x</html>", "<!doctype html><p>x", "x"])
def test_every_page_is_marked(tmp_path, page):
    write_html(tmp_path / "p.html", page)
    text = (tmp_path / "p.html").read_text()
    assert is_own_output(text.encode())
    assert text.replace('<meta name="generator" content="edgeembed">', "") == page


def test_a_folder_or_nothing_is_no_file_to_replace(tmp_path):
    check_free([tmp_path, tmp_path / "new"], overwrite=False)
    (tmp_path / "there").write_text("")
    with pytest.raises(StorageError, match="overwrite=True"):
        check_free([tmp_path / "new", tmp_path / "there"], overwrite=False)


def test_a_demo_keeps_an_index_that_it_did_not_make(fails, run, notes, tiny_path, tmp_path):
    assert run("index", notes, "-m", tiny_path, "-i", "d/stdlib.index").exit_code == 0
    assert "expected a demo's index" in fails("demo", "--folder", "d")
    assert json.loads(run("inspect", "d/stdlib.index", "--json").stdout)["documents"]


def test_vectors_of_other_programs_are_not_taken_for_ours(tmp_path):
    np.save(tmp_path / "theirs.npy", np.ones(3))
    (tmp_path / "theirs.jsonl").write_text('{"text": "the cat"}\n')
    np.save(tmp_path / "alone.npy", np.ones(3))
    (tmp_path / "theirs.parquet").write_bytes(b"PAR1 what others write PAR1")
    for path in sorted(tmp_path.iterdir()):
        with path.open("rb") as file:
            assert not wrote(file, path)
