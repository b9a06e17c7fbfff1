"""Rows of mapped files: random reads that leave no pages resident."""

import gc
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeembed_runtime.errors import IndexCorruptError, StorageError
from edgeembed_runtime.index.vectors import mmap as module
from edgeembed_runtime.index.vectors.mmap import MappedFile

ROWS, DIM = 20_000, 256
needs_pread = pytest.mark.skipif(not hasattr(os, "pread"), reason="there is no pread")


@pytest.fixture
def written(tmp_path, vectors):
    rows = vectors(ROWS, DIM)
    path = tmp_path / "rows.f32"
    path.write_bytes(rows.tobytes())
    return path, rows


def opened(path):
    with path.open("rb") as file:
        mapped = MappedFile(file, path)
    return mapped, mapped.array("<f4", ROWS * DIM).reshape(ROWS, DIM)


@pytest.mark.parametrize("count", [0, 1, 26, 256, 257, 4096])
@pytest.mark.parametrize("calls", [True, False])
def test_rows_are_those_of_the_file(written, count, calls, monkeypatch):
    if not calls:
        monkeypatch.delattr(module.os, "pread", raising=False)
    path, rows = written
    mapped, found = opened(path)
    positions = np.random.default_rng(count).integers(0, ROWS, count)
    taken = mapped.take(found, positions)
    assert taken.shape == (count, DIM)
    np.testing.assert_array_equal(taken, rows[positions])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
@pytest.mark.parametrize("count", [26, 3000])
def test_few_of_their_pages_stay(written, count):
    path, _ = written
    mapped, found = opened(path)
    for seed in range(20):
        mapped.take(found, np.random.default_rng(seed).integers(0, ROWS, count))
        assert resident_bytes_of(path) < 1 << 20


@needs_pread
def test_a_file_that_has_become_shorter_is_an_error_and_no_signal(written):
    path, _ = written
    mapped, found = opened(path)
    os.truncate(path, 100 * DIM * 4)
    with pytest.raises(IndexCorruptError, match="shorter"):
        mapped.take(found, np.array([5, 15_000]))


@needs_pread
def test_a_disk_that_fails_is_an_error_that_names_the_file(written, monkeypatch):
    path, _ = written
    mapped, found = opened(path)

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module.os, "pread", fail)
    with pytest.raises(StorageError, match=r"rows\.f32: Input/output error"):
        mapped.take(found, np.array([5]))


@needs_pread
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_what_is_opened_is_closed(written):
    def descriptors():
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    gc.collect()  # what earlier tests left open
    before = descriptors()
    kept = opened(written[0])
    assert descriptors() > before
    del kept
    assert descriptors() <= before


def resident_bytes_of(path):
    inside, total = False, 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total
