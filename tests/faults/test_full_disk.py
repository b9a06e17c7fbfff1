"""A disk that is really full: a small file system with more and more free space.

Unlike faults raised in Python, this also reaches the C and C++ code of SQLite, Annoy and usearch.
"""

import dataclasses
import shutil

import pytest

from edgeembed import Index
from edgeembed_runtime.errors import StorageError
from faults.harness.batches import DIM, SETTINGS, compact_step, steps, upsert_step
from faults.harness.contents import assert_sound, assert_writable, contents, same
from faults.harness.small_disk import SMALL_DISKS, small_disk

pytestmark = pytest.mark.slow


@pytest.fixture(params=SMALL_DISKS)
def disk(request, tmp_path):
    with small_disk(tmp_path / "disk", request.param) as mounted:
        yield mounted


def with_ann(backend):
    trees = 3 if backend == "annoy" else None
    return dataclasses.replace(
        SETTINGS, backend=backend, ann_min_rows=20, build_parameter=trees, recall_floor=0.1
    )


# What is done on the full disk, after how many batches, and with which settings.
CHANGES = {
    "an upsert that seals": (upsert_step(2), 2, SETTINGS),
    "a compaction": (compact_step(), 6, SETTINGS),
    "a compaction that builds trees": (compact_step(), 6, with_ann("annoy")),
    "a compaction that builds a graph": (compact_step(), 6, with_ann("usearch")),
    "a compaction that builds lists": (compact_step(), 6, with_ann("faiss")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_full_disk_stops_a_change_as_a_whole(name, disk, size, counts):
    step, before, settings = CHANGES[name]
    if settings.backend != "exact":
        pytest.importorskip(f"edgeembed_runtime.index.ann.{settings.backend}")
    state = {}
    base = disk.folder.parent / "base"
    with Index.create(base, dim=DIM, settings=SETTINGS) as index:
        for earlier in steps(before):
            earlier.run(index)
            state = earlier.change(state)
    after = step.change(state)
    failed = 0
    for pages in range(0, 400, max(1, size.every // 2)):
        path = disk.folder / "i"
        shutil.copytree(base, path)
        with Index.open(path, mode="rw", settings=settings) as index:
            disk.leave_room(pages)
            try:
                step.run(index)
                done = True
            except StorageError:
                done = False
            assert same(contents(index), after if done else state)
            disk.make_room()
            assert index.verify().ok
        assert_sound(path, [after if done else state])
        with Index.open(path, mode="rw", settings=settings) as index:
            step.run(index)
        assert_sound(path, [after])
        assert_writable(path)
        shutil.rmtree(path)
        counts["full disks"] += 1
        if done:
            break
        failed += 1
    assert done, "the most room was not enough"
    assert failed > 1


def test_a_full_disk_leaves_no_part_of_a_backup(disk, size, counts):
    with Index.create(disk.folder / "i", dim=DIM, settings=SETTINGS) as index:
        state = {}
        for step in steps(6):
            step.run(index)
            state = step.change(state)
        for pages in range(0, 400, max(1, size.every // 2)):
            disk.leave_room(pages)
            try:
                index.backup(disk.folder / "copy")
                done = True
            except StorageError:
                done = False
            disk.make_room()
            assert disk.names() == (["copy", "i"] if done else ["i"])
            if done:
                assert_sound(disk.folder / "copy", [state])
                shutil.rmtree(disk.folder / "copy")
            counts["full disks"] += 1
            if done:
                break
        assert done
