"""Files and folders appear whole or not at all, and the file system's refusals are our errors."""

import errno
import os
import sys

import pytest

from edgeembed_runtime import storage
from edgeembed_runtime.errors import StorageError


def contents(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*")}


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_staged_directory_appears_whole_when_the_block_ends(tmp_path):
    with storage.staged_directory(tmp_path / "new" / "made", replace=False) as stage:
        (stage / "sub").mkdir()
        storage.write_file(stage / "sub" / "a", b"1")
        assert not (tmp_path / "new" / "made").exists()
        assert stage.parent == tmp_path / "new"
    assert contents(tmp_path) == {"new", "new/made", "new/made/sub", "new/made/sub/a"}


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_a_staged_directory_leaves_nothing_when_the_block_raises(tmp_path, error):
    with (
        pytest.raises(type(error)),
        storage.staged_directory(tmp_path / "made", replace=True) as stage,
    ):
        storage.write_file(stage / "a", b"1")
        raise error
    assert contents(tmp_path) == set()


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt()], ids=repr)
def test_what_stood_there_stands_when_the_block_raises(tmp_path, error):
    target = tmp_path / "made"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(type(error)), storage.staged_directory(target, replace=True) as stage:
        (stage / "new").write_text("new")
        raise error
    assert contents(tmp_path) == {"made", "made/old"}


def test_an_existing_target_is_refused_without_replace_and_kept(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "old").write_text("old")
    with (
        pytest.raises(StorageError, match="exists already; choose another path"),
        storage.staged_directory(tmp_path / "made", replace=False) as stage,
    ):
        (stage / "new").write_text("new")
    assert contents(tmp_path) == {"made", "made/old"}


def test_an_existing_target_gives_way_with_replace(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "old").write_text("old")
    with storage.staged_directory(tmp_path / "made", replace=True) as stage:
        (stage / "new").write_text("new")
    assert contents(tmp_path) == {"made", "made/new"}


def test_the_old_directory_comes_back_when_the_new_one_cannot_be_put_in_place(
    tmp_path, monkeypatch
):
    target = tmp_path / "made"
    target.mkdir()
    (target / "old").write_text("old")
    kind = type(target)
    rename = kind.rename

    def refuse(self, to):
        if to == target and self.suffix == ".tmp":
            raise OSError(errno.EACCES, "no")
        return rename(self, to)

    monkeypatch.setattr(kind, "rename", refuse)
    with pytest.raises(StorageError), storage.staged_directory(target, replace=True) as stage:
        (stage / "new").write_text("new")
    assert contents(tmp_path) == {"made", "made/old"}


def test_a_full_disk_is_a_storage_error_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "_fsync", full)
    with (
        pytest.raises(StorageError, match="disk is full; free some space"),
        storage.staged_directory(tmp_path / "made", replace=False) as stage,
    ):
        storage.write_file(stage / "a", b"1")
    assert contents(tmp_path) == set()


def test_a_full_disk_met_by_someone_else_in_the_block_is_a_storage_error_too(tmp_path):
    with (
        pytest.raises(StorageError, match=r"made: the disk is full"),
        storage.staged_directory(tmp_path / "made", replace=False),
    ):
        full()
    assert contents(tmp_path) == set()


def test_other_os_errors_of_the_block_pass_as_they_are(tmp_path):
    with (
        pytest.raises(FileNotFoundError),
        storage.staged_directory(tmp_path / "made", replace=False),
    ):
        (tmp_path / "nowhere").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of this kind")
@pytest.mark.parametrize("replace", [False, True])
def test_what_is_staged_is_removed_even_when_no_more_files_can_be_opened(tmp_path, replace):
    import resource

    target = tmp_path / "made"
    if replace:
        target.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    try:
        with (
            pytest.raises(OSError, match="Too many open files"),
            storage.staged_directory(target, replace=replace) as stage,
        ):
            (stage / "sub" / "deep").mkdir(parents=True)
            storage.write_file(stage / "sub" / "deep" / "a", b"1")
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert contents(tmp_path) == ({"made"} if replace else set())


def test_a_staged_file_appears_whole_when_the_block_ends(tmp_path):
    with storage.staged_file(tmp_path / "f") as file:
        file.write(b"new")
        assert not (tmp_path / "f").exists()
    assert (tmp_path / "f").read_bytes() == b"new"
    assert contents(tmp_path) == {"f"}


def test_a_staged_file_replaces_the_one_that_is_there(tmp_path):
    (tmp_path / "f").write_bytes(b"old")
    with storage.staged_file(tmp_path / "f") as file:
        file.write(b"new")
        file.flush()
        assert (tmp_path / "f").read_bytes() == b"old"
    assert (tmp_path / "f").read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt()], ids=repr)
def test_a_staged_file_keeps_the_old_one_when_the_block_raises(tmp_path, error):
    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(type(error)), storage.staged_file(tmp_path / "f") as file:
        file.write(b"new")
        raise error
    assert (tmp_path / "f").read_bytes() == b"old"
    assert contents(tmp_path) == {"f"}


def test_a_full_disk_under_a_staged_file_keeps_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "f").write_bytes(b"old")
    monkeypatch.setattr(storage, "_fsync", full)
    with (
        pytest.raises(StorageError, match=r"could not write .*f: the disk is full"),
        storage.staged_file(tmp_path / "f") as file,
    ):
        file.write(b"new")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert contents(tmp_path) == {"f"}


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits there")
def test_a_limit_on_file_sizes_is_a_storage_error(tmp_path):
    import resource
    import signal

    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StorageError, match="could not write"):
            storage.write_file(tmp_path / "big", b"x" * 100_000)
        with pytest.raises(StorageError), storage.staged_file(tmp_path / "staged") as file:
            file.write(b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert "staged" not in contents(tmp_path)


@pytest.mark.parametrize("name", ["plain/x", "n" * 240, "nowhere/x"], ids=lambda name: name[:8])
def test_a_place_where_no_file_can_be_is_a_storage_error(tmp_path, name):
    (tmp_path / "plain").write_text("a file")
    with pytest.raises(StorageError, match="could not write"), storage.staged_file(tmp_path / name):
        pass
    assert contents(tmp_path) == {"plain"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs in folders")
@pytest.mark.parametrize("link", [False, True])
def test_what_is_no_file_is_not_replaced_by_one(tmp_path, link):
    os.mkfifo(tmp_path / "pipe")
    target = tmp_path / "pipe"
    if link:
        target = tmp_path / "link"
        target.symlink_to("pipe")
    with (
        pytest.raises(StorageError, match="expected a plain file, found a special file"),
        storage.staged_file(target),
    ):
        pytest.fail("nothing may be written")
    assert (tmp_path / "pipe").is_fifo()
    assert contents(tmp_path) == ({"pipe", "link"} if link else {"pipe"})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs in folders")
def test_what_is_no_folder_is_not_replaced_by_one(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(StorageError, match="expected a folder to replace"),
        storage.staged_directory(tmp_path / "pipe", replace=True),
    ):
        pass
    assert (tmp_path / "pipe").is_fifo()
    assert contents(tmp_path) == {"pipe"}


def test_a_link_to_a_folder_gives_way_and_the_folder_stays(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "old").write_text("old")
    (tmp_path / "made").symlink_to("far")
    with storage.staged_directory(tmp_path / "made", replace=True) as stage:
        (stage / "new").write_text("new")
    assert not (tmp_path / "made").is_symlink()
    assert contents(tmp_path) == {"far", "far/old", "made", "made/new"}


@pytest.mark.parametrize("name", ["plain/x", "n" * 250], ids=lambda name: name[:8])
def test_a_place_where_no_folder_can_be_is_a_storage_error(tmp_path, name):
    (tmp_path / "plain").write_text("a file")
    with (
        pytest.raises(StorageError, match="could not create a folder"),
        storage.staged_directory(tmp_path / name, replace=True),
    ):
        pass
    assert contents(tmp_path) == {"plain"}


def test_writing_a_file_never_overwrites_one(tmp_path):
    storage.write_file(tmp_path / "f", b"old")
    for write in (
        lambda: storage.write_file(tmp_path / "f", b"new"),
        lambda: storage.write_stream(tmp_path / "f", [b"new"]),
        lambda: storage.copy_file(tmp_path / "f", tmp_path / "f"),
    ):
        with pytest.raises(StorageError, match="exists"):
            write()
    assert (tmp_path / "f").read_bytes() == b"old"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_writing_a_file_never_follows_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        storage.write_file(tmp_path / "link", b"x")
    assert not (tmp_path / "elsewhere").exists()


def test_a_stream_reports_its_size_and_hash(tmp_path):
    size, digest = storage.write_stream(tmp_path / "f", [b"ab", memoryview(b"c"), b""])
    assert (size, digest) == (3, storage.sha256_of(b"abc"))
    assert storage.sha256_file(tmp_path / "f") == digest
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_storage_errors_are_os_errors_that_name_action_and_path(tmp_path):
    with pytest.raises(OSError, match=rf"could not remove {tmp_path}"):
        storage.remove_file(tmp_path)
    storage.remove_file(tmp_path / "gone already")
