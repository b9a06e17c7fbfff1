"""Bringing an index of an older format up to date, interrupted at every file operation.

Whatever happens, the index is of one format or the other, whole, and the next writer renews it.
"""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from edgeembed import Index
from edgeembed_runtime.errors import StorageError
from faults.harness.contents import assert_answers, contents, same
from faults.harness.operations import Faults
from faults.harness.watching import needs_reports, watching

pytestmark = [needs_reports, pytest.mark.slow]
OLD = Path(__file__).parents[1] / "runtime" / "golden" / "index-format-1" / "annoy"
MAX_OPERATIONS = 400


@pytest.fixture(scope="module")
def held():
    """What the index of format 1 holds."""
    pytest.importorskip("annoy")
    with Index.open(OLD) as index:
        return contents(index)


def _format(path):
    with closing(sqlite3.connect(path / "edgeembed.sqlite3")) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def _assert_whole(path, held):
    with Index.open(path) as index:
        assert same(contents(index), held)
        assert index.verify().ok
        assert_answers(index, held)
        assert [hit.key for hit in index.search("station 11", 1, mode="keyword")] == ["k11"]


@pytest.mark.parametrize("onwards", [False, True], ids=["once", "from there on"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_a_renewal_that_fails_leaves_the_index_readable(held, tmp_path, onwards, code):
    tried = 0
    for number in range(MAX_OPERATIONS):
        path = tmp_path / str(number)
        shutil.copytree(OLD, path)
        faults = Faults()
        with watching(path, faults):
            faults.arm(number, onwards=onwards, code=code)
            try:
                Index.open(path, mode="rw").close()
                renewed = True
            except StorageError:
                renewed = False
            faults.disarm()
        _assert_whole(path, held)
        assert _format(path) == 2 or not renewed
        with Index.open(path, mode="rw") as index:
            assert index.verify().ok
        assert _format(path) == 2
        _assert_whole(path, held)
        shutil.rmtree(path)
        if not faults.failed:
            break
        tried += 1
    assert 10 < tried < MAX_OPERATIONS


RENEW_AND_DIE = """
import json, os, sys
from pathlib import Path
from edgeembed import Index
from faults.harness.operations import Death
from faults.harness.watching import watching

for line in sys.stdin:
    path, death = json.loads(line)
    child = os.fork()
    if child == 0:
        with watching(Path(path), Death(death)):
            Index.open(path, mode="rw").close()
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def test_a_renewal_that_is_killed_leaves_the_index_readable(held, tmp_path):
    search_path = os.pathsep.join(entry for entry in sys.path if entry)
    killed = 0
    with subprocess.Popen(
        [sys.executable, "-c", RENEW_AND_DIE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": search_path},
        text=True,
    ) as process:
        for number in range(MAX_OPERATIONS):
            path = tmp_path / str(number)
            shutil.copytree(OLD, path)
            process.stdin.write(json.dumps([str(path), number]) + "\n")
            process.stdin.flush()
            status = int(process.stdout.readline())
            _assert_whole(path, held)
            with Index.open(path, mode="rw", lock_timeout_s=5) as index:
                assert index.verify().ok
            assert _format(path) == 2
            _assert_whole(path, held)
            shutil.rmtree(path)
            if not os.WIFSIGNALED(status):
                assert status == 0
                break
            killed += 1
    assert 10 < killed < MAX_OPERATIONS
