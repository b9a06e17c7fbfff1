"""The harness detects faults: each test breaks one rule of the commit protocol."""

import dataclasses
from types import SimpleNamespace

import pytest

from edgeembed_runtime import storage
from edgeembed_runtime.errors import EdgeEmbedError, StorageError
from edgeembed_runtime.index.catalog import catalog, documents
from edgeembed_runtime.index.index import Index
from edgeembed_runtime.index.write import compaction, gc
from faults.harness.batches import DIM, SETTINGS, compact_step, steps, upsert_step
from faults.harness.contents import assert_sound
from faults.harness.operations import Faults
from faults.harness.power_cuts import Life, fail_each_folder_sync
from faults.harness.sizes import SIZES
from faults.harness.watching import needs_reports, watching

pytestmark = [needs_reports, pytest.mark.slow]
DENSE = dataclasses.replace(SIZES["small"], lost_every=4, lost_states=1)
BROKEN = (AssertionError, EdgeEmbedError)


def play(tmp_path, counts):
    Life(tmp_path, DENSE, counts).play([*steps(5), compact_step()])


def test_the_protocol_unbroken_survives(tmp_path, counts):
    play(tmp_path, counts)


def test_files_that_are_not_synced_are_missed_after_a_power_cut(tmp_path, monkeypatch, counts):
    monkeypatch.setattr(storage, "_fsync", lambda descriptor: None)
    with pytest.raises(BROKEN):
        play(tmp_path, counts)


def test_folders_that_are_not_synced_are_missed_after_a_power_cut(tmp_path, monkeypatch, counts):
    monkeypatch.setattr(storage, "sync_directory", lambda path: None)
    with pytest.raises(BROKEN):
        play(tmp_path, counts)


@pytest.mark.parametrize("level", ["OFF", "FULL"])
def test_a_catalog_that_syncs_less_than_it_says_loses_batches(tmp_path, monkeypatch, level, counts):
    less = [p.replace("synchronous = EXTRA", f"synchronous = {level}") for p in catalog._PRAGMAS]
    monkeypatch.setattr(catalog, "_PRAGMAS", less)
    with pytest.raises(BROKEN):
        play(tmp_path, counts)


def test_files_removed_before_the_commit_are_missed(tmp_path, monkeypatch, counts):
    drop = compaction._drop

    def remove_too_early(connection, plan, generation):
        for view in plan.merge:
            for file in view.segment.info.files.values():
                (view.segment._directory / "seg" / file.name).unlink()
        drop(connection, plan, generation)

    monkeypatch.setattr(compaction, "_drop", remove_too_early)
    with pytest.raises(BROKEN):
        play(tmp_path, counts)


def test_a_catalog_that_names_files_before_they_are_written_is_caught(
    tmp_path, monkeypatch, counts
):
    real = storage.write_stream

    def write_unsynced(path, chunks):
        with monkeypatch.context() as patch:
            patch.setattr(storage, "_fsync", lambda descriptor: None)
            return real(path, chunks)

    monkeypatch.setattr(storage, "write_stream", write_unsynced)
    with pytest.raises(BROKEN):
        play(tmp_path, counts)


def test_a_batch_of_two_commits_is_seen_by_half(tmp_path, monkeypatch):
    """An operation fails between its two commits."""
    mark_dead = documents.mark_dead

    def commit_in_between(connection, keys, dead):
        count = mark_dead(connection, keys, dead)
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        return count

    faults = Faults()
    path = tmp_path / "i"
    state = {}
    with Index.create(path, dim=DIM, settings=SETTINGS) as index:
        upsert_step(0).run(index)
        state = upsert_step(0).change(state)
    after = upsert_step(1).change(state)
    monkeypatch.setattr(documents, "mark_dead", commit_in_between)
    caught = 0
    for number in range(0, 60, 5):
        with watching(path, faults):
            with Index.open(path, mode="rw", settings=SETTINGS) as index:
                faults.arm(number, onwards=True)
                with pytest.raises(StorageError):
                    upsert_step(1).run(index)
                faults.disarm()
            try:
                assert_sound(path, [state, after])
            except AssertionError:
                caught += 1
    assert caught


def test_files_removed_after_an_undurable_commit_are_missed(tmp_path, monkeypatch, counts):
    monkeypatch.setattr(
        gc,
        "storage",
        SimpleNamespace(sync_directory=lambda path: None, remove_file=storage.remove_file),
    )
    with pytest.raises(BROKEN):
        fail_each_folder_sync(tmp_path, DENSE, counts)
