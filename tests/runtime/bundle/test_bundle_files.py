"""A bundle on disk: what is read was listed, is a plain file, and has the bytes it should have."""

import hashlib
import os
import socket
import sys

import pytest

from edgeembed_runtime.bundle import Bundle, write_bundle
from edgeembed_runtime.bundle.validation import check_name
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import (
    BundleCorruptError,
    BundleError,
    BundleNotFoundError,
    BundleUnsafeError,
    StorageError,
)
from helpers import tiny_bundle

HOSTILE_NAMES = [
    "../x",
    "a/../x",
    "..",
    ".",
    "",
    "/etc/passwd",
    "a//b",
    "a/",
    "C:\\x",
    "C:x",
    "\\\\host\\x",
    "a\\b",
    "a\0b",
    "con",
    "CON",
    "nul.txt",
    "COM1",
    "dir/lpt9.onnx",
    "aux.tar.gz",
    "trailing.",
    "dir./x",
    "...",
    "space here",
    "ünïcode",
    "new\nline",
    "x\n",
    "%2e%2e",
    "~",
    "*",
    "a" * 101,
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=repr)
def test_a_name_that_leaves_the_bundle_or_means_something_elsewhere_is_unsafe(own_bundle, name):
    def list_it(tree):
        tree["files"][name] = {"bytes": 1, "sha256": "0" * 64}

    tiny_bundle.edit_manifest(own_bundle, list_it)
    with pytest.raises(BundleUnsafeError, match="file name"):
        Bundle.open(own_bundle)


@pytest.mark.parametrize(
    "name", ["a", "fp32.onnx", "a/b/c.bin", ".hidden", "-x", "console", "com10", "a" * 100]
)
def test_plain_relative_names_are_allowed(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=repr)
def test_a_hostile_name_cannot_be_written_either(own_bundle, tmp_path, name):
    stage = tmp_path / "stage"
    stage.mkdir()
    with pytest.raises(BundleUnsafeError):
        write_bundle(stage, Bundle.open(own_bundle).manifest, {name: b"x"})
    assert sorted(tmp_path.iterdir()) == [own_bundle, stage]
    assert list(stage.iterdir()) == []


def test_writing_the_same_files_twice_gives_the_same_bytes(tmp_path):
    first = tiny_bundle.write_tiny_bundle(tmp_path / "first")
    second = tiny_bundle.write_tiny_bundle(tmp_path / "second")
    assert sorted(p.name for p in first.iterdir()) == sorted(p.name for p in second.iterdir())
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_the_written_manifest_states_size_and_hash_of_every_file(tiny_path):
    stated = Bundle.open(tiny_path).manifest.files
    found = {
        path.name: (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in tiny_path.iterdir()
        if path.name != "edgeembed.json"
    }
    assert {name: (entry.bytes, entry.sha256) for name, entry in stated.items()} == found


def test_files_are_copied_from_paths_and_into_folders(tiny_path, tmp_path):
    source = tmp_path / "big.bin"
    source.write_bytes(os.urandom(3 << 20))
    (tmp_path / "stage").mkdir()
    manifest = Bundle.open(tiny_path).manifest
    bundle = write_bundle(tmp_path / "stage", manifest, {"deep/er/big.bin": source, "s": b"y"})
    assert bundle.read("deep/er/big.bin") == source.read_bytes()
    assert bundle.read("s") == b"y"


def test_a_file_that_is_not_listed_is_never_read(own_bundle):
    (own_bundle / "extra.txt").write_text("here")
    with pytest.raises(BundleCorruptError, match=r"extra\.txt is not listed"):
        Bundle.open(own_bundle).read("extra.txt")


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "missing": (lambda path: path.unlink(), "expected a file, found nothing"),
    "flipped": (flip, r"expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-1]), r"expected \d+ bytes"),
    "empty": (lambda path: path.write_bytes(b""), r"expected \d+ bytes, found 0"),
    "grown": (lambda path: path.write_bytes(path.read_bytes() + b"x"), r"expected \d+ bytes"),
}


@pytest.mark.parametrize("name", ["fp32.onnx", "tokenizer.json", "golden.json", "README.md"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_a_file_is_found_when_it_is_read(own_bundle, damage, name):
    do, message = DAMAGE[damage]
    do(own_bundle / name)
    bundle = Bundle.open(own_bundle)
    with pytest.raises(BundleCorruptError, match=f"{name} is missing or damaged: {message}"):
        bundle.read(name)
    assert any(name in problem for problem in bundle.problems())


def test_checking_sizes_only_passes_a_flipped_bit_and_catches_a_cut(own_bundle):
    flip(own_bundle / "README.md")
    bundle = Bundle.open(own_bundle)
    assert bundle.read("README.md", check="size")
    DAMAGE["truncated"][0](own_bundle / "README.md")
    with pytest.raises(BundleCorruptError, match="bytes"):
        bundle.read("README.md", check="size")


@pytest.mark.parametrize("size", [0, -1, -(10**9), 2**62, 10**30])
def test_an_absurd_size_in_the_manifest_is_damage_not_a_crash(own_bundle, size):
    def edit(tree):
        tree["files"]["README.md"]["bytes"] = size

    tiny_bundle.edit_manifest(own_bundle, edit)
    with pytest.raises(BundleCorruptError, match=r"README\.md"):
        Bundle.open(own_bundle).read("README.md")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
@pytest.mark.parametrize("name", ["fp32.onnx", "edgeembed.json"])
def test_a_link_in_place_of_a_file_is_unsafe_even_with_the_right_bytes(own_bundle, tmp_path, name):
    elsewhere = (own_bundle / name).rename(tmp_path / "elsewhere")
    (own_bundle / name).symlink_to(elsewhere)
    with pytest.raises(BundleUnsafeError, match=f"{name} is a link"):
        Bundle.open(own_bundle).read(name)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_on_the_way_to_a_file_is_unsafe(own_bundle, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"s")
    (own_bundle / "deep").symlink_to(outside, target_is_directory=True)

    def list_it(tree):
        digest = hashlib.sha256(b"s").hexdigest()
        tree["files"]["deep/secret"] = {"bytes": 1, "sha256": digest}

    tiny_bundle.edit_manifest(own_bundle, list_it)
    with pytest.raises(BundleUnsafeError, match="deep/secret is a link"):
        Bundle.open(own_bundle).read("deep/secret")


def test_a_hard_link_is_a_plain_file(own_bundle, tmp_path):
    (own_bundle / "README.md").rename(tmp_path / "shared")
    (own_bundle / "README.md").hardlink_to(tmp_path / "shared")
    assert Bundle.open(own_bundle).read("README.md").startswith(b"# tiny")


@pytest.mark.parametrize("name", ["tokenizer.json", "edgeembed.json"])
def test_a_directory_in_place_of_a_file_is_unsafe(own_bundle, name):
    (own_bundle / name).unlink()
    (own_bundle / name).mkdir()
    with pytest.raises(BundleUnsafeError, match=f"{name} is not a regular file"):
        Encoder.load(own_bundle)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize("name", ["int8.onnx", "tokenizer.json", "edgeembed.json"])
def test_a_fifo_in_place_of_a_file_is_unsafe_and_nobody_waits_for_it(own_bundle, name):
    (own_bundle / name).unlink()
    os.mkfifo(own_bundle / name)
    with pytest.raises(BundleUnsafeError, match=f"{name} is not a regular file"):
        Bundle.open(own_bundle).read(name)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no such sockets here")
def test_a_socket_in_place_of_a_file_is_unsafe(own_bundle, monkeypatch):
    (own_bundle / "README.md").unlink()
    monkeypatch.chdir(own_bundle)  # the path of a socket has to be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("README.md")
        with pytest.raises(BundleUnsafeError, match=r"README\.md is not a regular file"):
            Bundle.open(own_bundle).read("README.md")


def test_a_file_where_a_folder_should_be_is_damage(own_bundle):
    def list_it(tree):
        tree["files"]["README.md/x"] = {"bytes": 1, "sha256": "0" * 64}

    tiny_bundle.edit_manifest(own_bundle, list_it)
    with pytest.raises(BundleCorruptError, match="expected a file, found nothing"):
        Bundle.open(own_bundle).read("README.md/x")


def test_a_path_longer_than_the_system_takes_is_our_error(own_bundle):
    name = "/".join(["a" * 100] * 60)

    def list_it(tree):
        tree["files"][name] = {"bytes": 1, "sha256": "0" * 64}

    tiny_bundle.edit_manifest(own_bundle, list_it)
    with pytest.raises((BundleError, StorageError)):
        Bundle.open(own_bundle).read(name)


def test_a_sound_bundle_has_no_problems(tiny_path):
    assert Bundle.open(tiny_path).problems() == []


def test_every_problem_gets_one_line_and_strangers_are_named(own_bundle):
    flip(own_bundle / "fp32.onnx")
    (own_bundle / "golden.json").unlink()
    (own_bundle / "sub").mkdir()
    (own_bundle / "sub" / "stranger").write_text("x")
    (own_bundle / "link").symlink_to(own_bundle / "sub", target_is_directory=True)
    problems = Bundle.open(own_bundle).problems()
    assert len(problems) == 4
    assert all("\n" not in problem for problem in problems)
    text = " ".join(problems)
    assert "fp32.onnx is missing or damaged" in text
    assert "golden.json is missing or damaged" in text
    assert "sub/stranger is present but not listed" in text
    assert "link is present but not listed" in text


def test_a_path_that_is_no_directory_says_what_it_is(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleNotFoundError, match="expected a directory, got a file"):
        Bundle.open(tmp_path / "file")
    with pytest.raises(BundleNotFoundError, match="expected a directory, got nothing"):
        Bundle.open(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        Bundle.open(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("marker", "advice"),
    [
        ("modules.json", "looks like a model directory: run `edgeembed convert"),
        ("config.json", "looks like a model directory: run `edgeembed convert"),
        ("edgeembed.sqlite3", "this is an index: pass the bundle's directory"),
        ("notes.txt", "pass the directory that `edgeembed convert` wrote"),
    ],
)
def test_a_directory_of_another_kind_gets_advice(tmp_path, marker, advice):
    (tmp_path / marker).write_text("{}")
    with pytest.raises(BundleNotFoundError, match=advice):
        Bundle.open(tmp_path)


def test_the_message_names_the_bundle_once(own_bundle):
    (own_bundle / "edgeembed.json").unlink()
    (own_bundle / "edgeembed.json").mkdir()
    with pytest.raises(BundleUnsafeError) as caught:
        Bundle.open(own_bundle)
    assert str(caught.value).count(str(own_bundle)) == 1
