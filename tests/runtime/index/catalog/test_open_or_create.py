"""Index.open(mode="a") opens an index or creates it where nothing is, and touches nothing else."""

import sqlite3
import threading
from typing import Any, cast

import numpy as np
import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime.errors import (
    EdgeEmbedError,
    IndexCorruptError,
    IndexExistsError,
    IndexLockedError,
    IndexNotFoundError,
    IndexVersionError,
    InputError,
    SpaceMismatchError,
)
from edgeembed_runtime.index.catalog.lock import WriterLock


def test_it_creates_first_and_opens_afterwards(tmp_path, encoder):
    path = tmp_path / "new" / "i"
    with Index.open(path, encoder=encoder, mode="a", info={"by": "first"}) as index:
        assert (index.mode, index.dim, index.space) == ("rw", 16, "fake-1")
        index.upsert(["a"], documents=["apple"])
    with Index.open(path, encoder=encoder, mode="a", info={"by": "second"}) as index:
        assert dict(index.info) == {"by": "first"}
        assert index.search("apple", 1)[0].key == "a"
        index.upsert(["b"], documents=["pear"])
    with Index.open(path) as index:
        assert len(index) == 2
        assert index.verify().ok


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "i").mkdir()
    with Index.open(tmp_path / "i", mode="a", dim=4, space="mine") as index:
        index.upsert(["a"], vectors=np.ones((1, 4)))
        assert (index.dim, index.space, dict(index.info)) == (4, "mine", {})


def test_an_index_that_is_there_needs_neither_encoder_nor_dim(tmp_path):
    Index.create(tmp_path / "i", dim=4).close()
    with Index.open(tmp_path / "i", mode="a") as index:
        assert index.dim == 4


def test_a_missing_encoder_is_named_where_one_is_needed(tmp_path):
    with pytest.raises(InputError, match="no index is there; to create one, pass encoder"):
        Index.open(tmp_path / "i", mode="a")
    assert not (tmp_path / "i").exists()


@pytest.mark.parametrize("dim", [0, 8193, "3", True])
def test_an_unusable_dim_creates_nothing(tmp_path, dim):
    with pytest.raises(InputError, match="dim"):
        Index.open(tmp_path / "i", mode="a", dim=dim)
    assert not (tmp_path / "i").exists()


def test_settings_are_checked_before_anything_is_created(tmp_path):
    with pytest.raises(InputError, match=r"settings\.backend"):
        Index.open(tmp_path / "i", mode="a", dim=4, settings=IndexSettings(backend="voyager"))
    assert not (tmp_path / "i").exists()


@pytest.mark.parametrize("arguments", [{"dim": 5}, {"space": "other"}, {"dim": 4, "space": ""}])
def test_another_dim_or_space_than_the_index_has_is_refused(tmp_path, arguments):
    Index.create(tmp_path / "i", dim=4, space="mine").close()
    with pytest.raises(SpaceMismatchError, match="space 'mine' with 4 dimensions, asked for"):
        Index.open(tmp_path / "i", mode="a", **arguments)
    with Index.open(tmp_path / "i", mode="a", dim=4, space="mine") as index:  # the lock is free
        assert len(index) == 0


def test_another_encoder_than_the_index_has_is_refused(tmp_path, make_encoder):
    Index.open(tmp_path / "i", encoder=make_encoder(), mode="a").close()
    with pytest.raises(SpaceMismatchError, match="fake-2"):
        Index.open(tmp_path / "i", encoder=make_encoder(space="fake-2"), mode="a")
    with pytest.raises(InputError, match="different"):
        Index.open(tmp_path / "j", encoder=make_encoder(), mode="a", dim=5)


@pytest.mark.parametrize("mode", ["r", "rw"])
@pytest.mark.parametrize("arguments", [{"dim": 4}, {"space": "x"}, {"info": {"a": "b"}}])
def test_what_describes_a_new_index_is_refused_in_other_modes(tmp_path, mode, arguments):
    Index.create(tmp_path / "i", dim=4).close()
    with pytest.raises(InputError, match="only with mode 'a'"):
        Index.open(tmp_path / "i", mode=mode, **arguments)


@pytest.mark.parametrize("mode", ["w", "x", "", None, "ra"])
def test_an_unknown_mode_is_refused(tmp_path, mode):
    with pytest.raises(InputError, match="expected one of r, rw, a"):
        Index.open(tmp_path / "i", mode=mode)
    assert not (tmp_path / "i").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "i").mkdir()
    (tmp_path / "i" / "thesis.txt").write_text("words")
    with pytest.raises(IndexExistsError, match=r"1 other files, such as 'thesis\.txt'"):
        Index.open(tmp_path / "i", mode="a", dim=4)
    assert [path.name for path in (tmp_path / "i").iterdir()] == ["thesis.txt"]


def test_other_files_beside_an_index_do_not_keep_it_closed(tmp_path):
    Index.create(tmp_path / "i", dim=4).close()
    (tmp_path / "i" / ".DS_Store").touch()
    Index.open(tmp_path / "i", mode="a").close()


def test_a_file_is_left_alone(tmp_path):
    (tmp_path / "i").write_text("words")
    with pytest.raises(IndexExistsError, match="found a file"):
        Index.open(tmp_path / "i", mode="a", dim=4)
    assert (tmp_path / "i").read_text() == "words"


def test_a_database_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "i").mkdir()
    connection = sqlite3.connect(tmp_path / "i" / "edgeembed.sqlite3")
    connection.executescript("CREATE TABLE mine(x)")
    connection.close()
    before = (tmp_path / "i" / "edgeembed.sqlite3").read_bytes()
    with pytest.raises(IndexCorruptError, match="not an edgeembed index"):
        Index.open(tmp_path / "i", mode="a", dim=4)
    assert (tmp_path / "i" / "edgeembed.sqlite3").read_bytes() == before


def test_a_damaged_or_newer_index_is_not_created_again(tmp_path):
    Index.create(tmp_path / "i", dim=4).close()
    connection = sqlite3.connect(tmp_path / "i" / "edgeembed.sqlite3", isolation_level=None)
    connection.execute("PRAGMA user_version = 3")
    connection.close()
    with pytest.raises(IndexVersionError):
        Index.open(tmp_path / "i", mode="a", dim=4)
    (tmp_path / "i" / "edgeembed.sqlite3").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(IndexCorruptError):
        Index.open(tmp_path / "i", mode="a", dim=4)


@pytest.mark.parametrize("links", ["edgeembed.sqlite3", "i"])
def test_a_link_that_leads_nowhere_is_not_followed(tmp_path, links):
    target = tmp_path / "elsewhere"
    if links == "i":
        (tmp_path / "i").symlink_to(target)
    else:
        (tmp_path / "i").mkdir()
        (tmp_path / "i" / links).symlink_to(target)
    with pytest.raises((EdgeEmbedError, OSError)):
        Index.open(tmp_path / "i", mode="a", dim=4)
    assert not target.exists()


def test_an_interrupted_creation_is_done_again(tmp_path):
    path = tmp_path / "i"
    (path / "seg").mkdir(parents=True)
    (path / "edgeembed.sqlite3").touch()
    for mode in ("r", "rw"):
        with pytest.raises(IndexCorruptError, match=r"run Index\.create again"):
            Index.open(path, mode=mode)
    with Index.open(path, mode="a", dim=8) as index:
        index.upsert(["a"], vectors=np.ones((1, 8)))
        assert index.verify().ok


def test_a_writer_keeps_others_out(tmp_path):
    with Index.open(tmp_path / "i", mode="a", dim=4):
        with pytest.raises(IndexLockedError, match="mode='r'"):
            Index.open(tmp_path / "i", mode="a", lock_timeout_s=0)
        Index.open(tmp_path / "i").close()


def test_one_who_comes_while_it_is_created_waits_for_the_lock(tmp_path):
    (tmp_path / "i").mkdir()
    lock = WriterLock(tmp_path / "i", 1.0)
    with pytest.raises(IndexLockedError):
        Index.open(tmp_path / "i", mode="a", dim=4, lock_timeout_s=0)
    assert not (tmp_path / "i" / "edgeembed.sqlite3").exists()
    threading.Timer(0.2, lock.release).start()
    Index.open(tmp_path / "i", mode="a", dim=4, lock_timeout_s=10).close()


def test_one_who_comes_too_late_to_create_it_opens_it(tmp_path, monkeypatch):
    """Both find nothing; the other has finished when this one gets the lock."""
    path = tmp_path / "i"
    real = WriterLock.__init__

    def slower(self, directory, timeout_s):
        monkeypatch.undo()
        with Index.create(path, dim=4, info={"by": "the other"}) as other:
            other.upsert(["a"], vectors=np.ones((1, 4)))
        real(self, directory, timeout_s)

    monkeypatch.setattr(WriterLock, "__init__", slower)
    with Index.open(path, mode="a", dim=4) as index:
        assert list(index.keys()) == ["a"]
        assert dict(index.info) == {"by": "the other"}


def test_one_who_comes_too_late_with_another_dim_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "i"
    real = WriterLock.__init__

    def slower(self, directory, timeout_s):
        monkeypatch.undo()
        Index.create(path, dim=4).close()
        real(self, directory, timeout_s)

    monkeypatch.setattr(WriterLock, "__init__", slower)
    with pytest.raises(SpaceMismatchError):
        Index.open(path, mode="a", dim=5)
    Index.open(path, mode="rw").close()


OPENER = """
import sys
import numpy as np
from edgeembed import Index
from edgeembed_runtime.errors import IndexLockedError
path, name = sys.argv[1:3]
print("ready", flush=True)
sys.stdin.readline()
try:
    index = Index.open(path, mode="a", dim=4, lock_timeout_s=float(sys.argv[3]))
except IndexLockedError:
    print("locked")
else:
    index.upsert([name], vectors=np.ones((1, 4)))
    index.close()
    print("wrote")
"""


@pytest.mark.parametrize("wait", [0.0, 30.0])
def test_processes_that_race_all_end_in_one_index(tmp_path, start_python, wait):
    openers = [start_python(OPENER, tmp_path / "i", f"p{n}", wait) for n in range(4)]
    for opener in openers:
        assert opener.stdout.readline() == "ready\n", opener.stderr.read()
    for opener in openers:
        opener.stdin.write("go\n")
        opener.stdin.flush()
    said = [opener.communicate(timeout=60) for opener in openers]
    outcomes = [out.strip() for out, _ in said]
    assert set(outcomes) <= {"wrote", "locked"}, said
    with Index.open(tmp_path / "i") as index:
        assert sorted(index.keys()) == [f"p{n}" for n in range(4) if outcomes[n] == "wrote"]
        assert index.verify().ok
    if wait:
        assert outcomes == ["wrote"] * 4


def test_threads_that_race_all_end_in_one_index(tmp_path):
    barrier, outcomes = threading.Barrier(8), []

    def run(number):
        barrier.wait()
        try:
            with Index.open(tmp_path / "i", mode="a", dim=4, lock_timeout_s=30) as index:
                index.upsert([str(number)], vectors=np.ones((1, 4)))
        except Exception as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == []
    with Index.open(tmp_path / "i") as index:
        assert sorted(index.keys()) == [str(number) for number in range(8)]


def test_reading_never_creates(tmp_path):
    for mode in ("r", "rw"):
        with pytest.raises(IndexNotFoundError):
            Index.open(tmp_path / "i", mode=mode)
    assert list(tmp_path.iterdir()) == []


def test_all_but_the_keys_of_an_upsert_is_named(tmp_path):
    with Index.open(tmp_path / "i", mode="a", dim=4) as index:
        with pytest.raises(TypeError, match="positional"):
            cast(Any, index).upsert(["a"], ["text"], np.ones((1, 4)))
        index.upsert([], notes={"a": "note"})
        assert index.notes() == {"a": "note"}
        with pytest.raises(InputError, match="documents or vectors"):
            index.upsert(["a"])
