"""Rival writers and many readers, each in its own process, on one index."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from edgeembed import Index
from faults.harness.crowd_process import DIM, keys_of, text_of, vector_of

pytestmark = pytest.mark.slow
WRITERS = ("ada", "bob", "cyd")


def started(role, path, name, seconds):
    places = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, "-m", "faults.harness.crowd_process", role, path, name, str(seconds)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": places, "OPENBLAS_NUM_THREADS": "1"},
        text=True,
    )


def answer(process, seconds):
    out, _ = process.communicate(timeout=seconds + 120)
    assert process.returncode == 0
    found = json.loads(out.splitlines()[-1])
    assert "failed" not in found, found["failed"]
    return found


def test_nobody_loses_a_batch_or_sees_half_of_one(tmp_path, size, counts):
    path = tmp_path / "i"
    Index.create(path, dim=DIM).close()
    seconds = size.crowd_seconds
    writers = {name: started("write", path, name, seconds) for name in WRITERS}
    readers = [started("read", path, f"reader{i}", seconds) for i in range(size.crowd_readers)]
    wrote = {name: answer(process, seconds) for name, process in writers.items()}
    looked = [answer(process, seconds) for process in readers]

    assert all(found["batches"] for found in wrote.values()), wrote
    assert all(found["generations"] for found in looked), looked
    with Index.open(path) as index:
        assert index.verify().ok
        expected = [
            key
            for name, found in wrote.items()
            for number in range(found["batches"])
            for key in keys_of(name, number)
        ]
        assert sorted(index.keys()) == sorted(expected)
        assert [each.document for each in index.get(expected)] == [*map(text_of, expected)]
        right = np.stack([vector_of(key) for key in expected])
        np.testing.assert_allclose(index.vectors(expected), right, atol=1e-6)
    counts["batches of rival writers"] += sum(found["batches"] for found in wrote.values())
    counts["times that a rival had the lock"] += sum(found["refused"] for found in wrote.values())
    counts["looks of readers in other processes"] += sum(found["looks"] for found in looked)
