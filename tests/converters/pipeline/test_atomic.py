"""A bundle appears whole or not at all, and what stood there stays, whatever interrupts."""

import errno
import shutil

import pytest

from edgeembed_runtime import storage
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import StorageError

STEPS = ("Loading", "Running", "Exporting", "Comparing", "Trying", "Writing", "Proving")


def contents(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
    }


def interrupt_at(step):
    def on_step(text):
        if text.startswith(step):
            raise KeyboardInterrupt

    return on_step


@pytest.fixture
def existing(toy_report, tmp_path):
    """A bundle in a folder of its own."""
    path = tmp_path / "place" / "bundle"
    shutil.copytree(toy_report.path, path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_at_any_step_leaves_an_existing_bundle_untouched(step, existing, convert_toy):
    before = contents(existing.parent)
    with pytest.raises(KeyboardInterrupt):
        convert_toy(existing, quantize="int8", overwrite=True, on_step=interrupt_at(step))
    assert contents(existing.parent) == before


@pytest.mark.slow
@pytest.mark.parametrize("step", ["Comparing", "Writing", "Proving"])
def test_ctrl_c_leaves_nothing_at_a_new_place(step, tmp_path, convert_toy):
    with pytest.raises(KeyboardInterrupt):
        convert_toy(tmp_path / "bundle", on_step=interrupt_at(step))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tokenizer.json", "fp32.onnx", "edgeembed.json"])
def test_full_disk_while_a_file_is_written(name, monkeypatch, existing, convert_toy):
    write = storage.write_file

    def full(path, data):
        if path.name == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    monkeypatch.setattr(storage, "write_file", full)
    before = contents(existing.parent)
    with pytest.raises(StorageError, match="disk is full") as caught:
        convert_toy(existing, overwrite=True)
    assert "\n" not in str(caught.value)
    assert str(existing) in str(caught.value)
    assert contents(existing.parent) == before


@pytest.mark.slow
def test_full_disk_while_a_file_is_copied(monkeypatch, tiny, tmp_path):
    from edgeembed import convert

    source = tmp_path / "model"
    shutil.copytree(tiny.transformers("bert"), source)
    (source / "LICENSE").write_text("text")

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage, "copy_file", full)
    with pytest.raises(StorageError, match="disk is full"):
        convert(source, tmp_path / "bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_taken_place_without_overwrite(existing, convert_toy):
    before, steps = contents(existing.parent), []
    with pytest.raises(StorageError, match="exists already"):
        convert_toy(existing, on_step=steps.append)
    assert contents(existing.parent) == before
    assert steps == []  # it is found out at once, not after minutes of work


@pytest.mark.parametrize("kind", ["directory", "empty", "file"])
def test_what_is_no_bundle_is_never_overwritten(kind, tmp_path, convert_toy):
    target = tmp_path / "thesis"
    if kind == "file":
        target.write_text("years of work")
    else:
        target.mkdir()
    if kind == "directory":
        (target / "chapter-1.txt").write_text("years of work")
    before = contents(tmp_path)
    with pytest.raises(StorageError, match="is not a bundle"):
        convert_toy(target, overwrite=True)
    assert contents(tmp_path) == before


def test_overwriting_a_bundle(existing, convert_toy):
    report = convert_toy(existing, overwrite=True, name="the new one")
    assert [path.name for path in existing.parent.iterdir()] == ["bundle"]
    assert not (existing / "int8.onnx").exists()  # nothing of the old one is left inside
    with Encoder.load(existing, verify="golden") as encoder:
        assert encoder.manifest.name == report.name == "the new one"
