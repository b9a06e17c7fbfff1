"""What nobody may write is read without locks; what can be written never is."""

import os
import sqlite3

import numpy as np
import pytest

from edgeembed import EmbeddingCache, Index
from edgeembed_runtime.errors import StorageError


@pytest.fixture
def index(tmp_path):
    with Index.create(tmp_path / "i", dim=4) as made:
        made.upsert(["a"], vectors=np.ones((1, 4)))
    EmbeddingCache(tmp_path / "cache").close()
    return tmp_path / "i"


@pytest.fixture
def refused(monkeypatch):
    """SQLite finds no way to open a file, but for one that cannot change; the names of those."""
    connect, immutable = sqlite3.connect, []

    def refusing(name, **options):
        if "immutable" in os.fspath(name):
            immutable.append(name)
            return connect(name, **options)
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorname = "SQLITE_CANTOPEN"
        raise error

    monkeypatch.setattr(sqlite3, "connect", refusing)
    return immutable


def test_no_more_open_files_are_no_reason_to_read_without_locks(index, refused):
    with pytest.raises(StorageError, match="unable to open"):
        Index.open(index)
    with pytest.raises(StorageError, match="unable to open"):
        EmbeddingCache(index.with_name("cache"))
    assert not refused


def test_an_index_that_nobody_may_write_is_read_without_locks(index, refused, monkeypatch):
    may = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode, **rest: mode != os.W_OK and may(path, mode, **rest)
    )
    with Index.open(index) as opened:
        assert len(opened) == 1
    assert len(refused) == 1
