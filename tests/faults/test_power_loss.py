"""The power fails after any operation, and what was not synced is lost, or some of it.

What was acknowledged is there, and what was being written is there as a whole or not at all.
"""

import shutil

import pytest

from faults.harness.batches import steps
from faults.harness.power_cuts import Life, fail_and_cut, fail_each_folder_sync
from faults.harness.watching import needs_reports

pytestmark = [needs_reports, pytest.mark.slow]
# Seals twice, merges once, deletes three times, compacts once.
BATCHES = 10


def test_a_power_cut_at_any_time_loses_nothing_acknowledged(tmp_path, size, counts):
    life = Life(tmp_path, size, counts)
    life.play(steps(BATCHES))
    assert (life.root / "copy").exists()


def test_a_power_cut_after_a_failed_operation_loses_nothing(tmp_path, size, counts):
    for number in range(0, 100_000, size.every):
        case = tmp_path / str(number)
        case.mkdir()
        if not fail_and_cut(Life(case, size, counts), number):
            return
        shutil.rmtree(case)
        counts["operations failed"] += 1
    raise AssertionError("a compaction never came to its end")


def test_on_a_folder_that_could_not_be_synced_nothing_is_built(tmp_path, size, counts):
    """A commit whose last sync failed may be undone by a power cut: what it replaced must stay."""
    assert fail_each_folder_sync(tmp_path, size, counts) > 3
