"""The walk of folders: every file is found, or left out with its reason."""

import os
import socket
import sys
from pathlib import Path

import pytest

from edgeembed.ingest.discover.rules import RULES_FILE, WalkSettings
from edgeembed.ingest.files import scan, scan_below
from edgeembed.ingest.readers.base.protocol import Reason
from edgeembed_runtime.errors import InputError

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


@pytest.fixture
def folder(tmp_path):
    """A folder with something of every kind that is left out."""
    root = tmp_path / "n"
    for name in ("a.md", "sub/b.md", ".git/config", ".notes/x.md", "target/goals.md", ".h.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def taken(root, **settings):
    found = scan([root], WalkSettings(**settings))
    return [file.path.relative_to(root).as_posix() for file in found.files]


def left_out(root, **settings):
    found = scan([root], WalkSettings(**settings))
    length = len(root.as_posix()) + 1
    return {each.name[length:]: each.reason for each in found.left_out}


def test_what_is_left_out_is_told_with_its_reason(folder):
    assert taken(folder) == ["a.md", "sub/b.md"]
    assert left_out(folder) == {
        ".git/": Reason.TOOL_FOLDER,
        ".h.md": Reason.HIDDEN,
        ".notes/": Reason.HIDDEN,
        "target/": Reason.TOOL_FOLDER,
    }


def test_hidden_files_are_taken_on_request_and_what_tools_fill_is_not(folder):
    assert taken(folder, hidden=True) == [".h.md", "a.md", ".notes/x.md", "sub/b.md"]
    assert set(left_out(folder, hidden=True).values()) == {Reason.TOOL_FOLDER}


@pytest.mark.parametrize("name", ["~$lease.docx", "Thumbs.db", "Desktop.ini"])
def test_what_programs_leave_beside_files_is_hidden(folder, name):
    (folder / name).write_text("")
    assert left_out(folder)[name] == Reason.HIDDEN
    assert name in taken(folder, hidden=True)


def test_a_folder_that_is_named_is_taken_whatever_its_name(folder):
    assert taken(folder / "target") == ["goals.md"]
    assert taken(folder / ".notes") == ["x.md"]


@POSIX
def test_special_files_and_links_are_told(folder, monkeypatch):
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
    (folder / "loop").symlink_to("..")
    (folder / "dead.md").symlink_to("nowhere")
    told = left_out(folder)
    assert [told[name] for name in ("pipe", "sock")] == [Reason.SPECIAL] * 2
    assert [told[name] for name in ("loop", "dead.md")] == [Reason.LINK] * 2


@POSIX
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_rules_that_cannot_be_read_are_named_with_their_file(folder, make):
    make(folder / "sub" / RULES_FILE)
    found = scan([folder])
    assert [file.name for file in found.files] == [f"{folder}/a.md"]
    (unreadable,) = found.unreadable
    assert unreadable.place == str(folder / "sub")
    assert f"{folder}/sub/{RULES_FILE}: expected a plain file" in unreadable.message


@POSIX
def test_followed_links_end_and_give_each_file_once(folder, tmp_path):
    write(tmp_path / "elsewhere" / "vault.md")
    (folder / "0-up").symlink_to("..")  # to the folder above, which has this one in it
    (folder / "a-link.md").symlink_to("a.md")
    (folder / "b-self").symlink_to(".")
    (folder / "dead.md").symlink_to("nowhere")
    (folder / "self").symlink_to("self")
    (folder / "sub" / "vault.md").symlink_to(tmp_path / "elsewhere" / "vault.md")
    names = taken(folder, follow_links=True)
    assert names == ["a.md", "sub/b.md", "0-up/elsewhere/vault.md"]
    told = left_out(folder, follow_links=True)
    for name in ("a-link.md", "b-self/", "dead.md", "self", "sub/vault.md"):
        assert told[name] == Reason.LINK, name
    assert all(told[name] != Reason.LINK for name in (".git/", ".h.md"))


@POSIX
def test_what_is_behind_a_link_is_judged_by_the_links_name(folder, tmp_path):
    write(tmp_path / "out" / "x.md")
    (folder / ".hidden-link").symlink_to(tmp_path / "out")
    (folder / "venv").symlink_to(tmp_path / "out")
    assert taken(folder, follow_links=True) == ["a.md", "sub/b.md"]
    assert left_out(folder, follow_links=True)[".hidden-link/"] == Reason.HIDDEN
    assert left_out(folder, follow_links=True)["venv/"] == Reason.TOOL_FOLDER


def test_rules_are_those_of_gitignore_files_and_the_innermost_decides(folder):
    write(folder / RULES_FILE, "\ufeff# a comment\n*.log\n!keep.log\n/top.md\nbuild/\n")
    for name in ("x.log", "keep.log", "top.md", "sub/top.md", "build/y.md", "sub/build/y.md"):
        write(folder / name)
    write(folder / "sub" / RULES_FILE, "!deep.log\nb.md\n")
    write(folder / "sub" / "deep.log")
    names = taken(folder)
    assert names == ["a.md", "keep.log", "sub/deep.log", "sub/top.md"]
    told = left_out(folder)
    for name in ("x.log", "top.md", "build/", "sub/build/", "sub/b.md"):
        assert told[name] == Reason.RULE, name


def test_a_rule_takes_what_is_left_out_by_default(folder):
    write(folder / RULES_FILE, "!target/\n!.h.md\n")
    assert taken(folder) == [".h.md", "a.md", "sub/b.md", "target/goals.md"]


def test_patterns_of_the_command_restrict_and_leave_out(folder):
    write(folder / "c.txt")
    assert taken(folder, include=("*.md",)) == ["a.md", "sub/b.md"]
    assert taken(folder, include=("sub/",)) == ["sub/b.md"]
    assert taken(folder, exclude=("sub/", "a.*")) == ["c.txt"]
    assert taken(folder, include=("*.md",), exclude=("sub",)) == ["a.md"]
    assert left_out(folder, include=("*.md",))["c.txt"] == Reason.RULE
    write(folder / RULES_FILE, "!a.md\n")
    assert taken(folder, exclude=("a.md",)) == ["c.txt", "sub/b.md"]


def test_a_pattern_without_a_meaning_is_refused_and_a_rule_only_told(folder):
    with pytest.raises(InputError, match=r"^exclude: expected patterns as in \.gitignore files"):
        WalkSettings(exclude=("!",))
    write(folder / RULES_FILE, "!\nsub/\n")
    found = scan([folder])
    assert [file.path.name for file in found.files] == ["a.md"]
    (problem,) = found.problems
    assert f"{RULES_FILE}, line 1: expected patterns" in problem.message


def test_indexes_and_bundles_are_ours(folder, tiny_path):
    write(folder / "i" / "edgeembed.sqlite3")
    (folder / "b").symlink_to(tiny_path)
    assert left_out(folder)["i/"] == Reason.OWN_OUTPUT
    assert left_out(tiny_path.parent)["tiny.bundle/"] == Reason.OWN_OUTPUT


def test_a_folder_that_is_given_by_several_names_gives_each_file_once(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    found = scan([Path("n"), folder, Path("n/sub"), Path("n/a.md")])
    assert [file.name for file in found.files] == ["n/a.md", "n/sub/b.md"]


def test_a_part_is_scanned_as_it_is_within_the_whole(folder):
    write(folder / RULES_FILE, "*.log\n")
    for name in ("sub/x.log", "sub/y.md", "sub/.z.md", "sub/deep/w.md"):
        write(folder / name)
    paths = [
        *("sub", "sub/x.log", "sub/.z.md", "target/goals.md", ".git/config", "nowhere", "a.md/b"),
        RULES_FILE,
    ]
    found = scan_below(folder, [folder / path for path in paths])
    names = [file.path.relative_to(folder).as_posix() for file in found.files]
    assert names == ["sub/b.md", "sub/y.md", "sub/deep/w.md"]
    assert [file.below for file in found.files] == names
    scanned = {os.path.relpath(place, folder) for place in found.scanned}
    assert scanned == {"sub", "nowhere", "a.md/b"}


def test_deep_and_odd_names_are_found(tmp_path):
    root = tmp_path / "r"
    names = ["a#1.md", "[b]x[/b].md", "ü ñ 🎉.md"]
    if sys.platform != "win32":
        names.append("new\nline.md")
    for name in names:
        write(root / name)
    write(root.joinpath(*["d"] * 60) / "deep.md")
    assert len(taken(root)) == len(names) + 1
