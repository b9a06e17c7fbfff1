"""A writer killed with SIGKILL, at any operation and at any time, and on a disk that is full.

No acknowledged batch is lost, none is there by half, and the next writer goes on.
"""

import random

import pytest

from faults.harness.killed_writers import Lives, When, Writers
from faults.harness.small_disk import SMALL_DISKS, small_disk
from faults.harness.watching import needs_reports

pytestmark = [needs_reports, pytest.mark.slow]
SEED = 3
# One step takes 40 to 150 operations, the recovery after a kill 0 to 60.
MAX_OPERATIONS = 300
MAX_SECONDS = 0.06
# On a full disk a step is tried several times.
MAX_OPERATIONS_OF_RETRIES = 900
MAX_FREE_PAGES = 24


@pytest.fixture
def writers():
    started = Writers()
    yield started
    started.close()


def test_a_writer_killed_at_any_operation_loses_nothing(tmp_path, writers, size, counts):
    chance = random.Random(SEED)
    lives = Lives(tmp_path, writers)
    for _ in range(size.kills_at):
        lives.kill(When(operation=chance.randrange(MAX_OPERATIONS)))
        counts["writers killed at an operation"] += 1
    lives.finish()
    _check_progress(lives, size.kills_at, counts)


def test_a_writer_killed_at_any_time_loses_nothing(tmp_path, writers, size, counts):
    chance = random.Random(SEED)
    lives = Lives(tmp_path, writers)
    for _ in range(size.kills_after):
        lives.kill(When(steps=chance.randrange(4), seconds=chance.uniform(0, MAX_SECONDS)))
        counts["writers killed after a time"] += 1
    lives.finish()
    _check_progress(lives, size.kills_after, counts)


@pytest.mark.parametrize("kind", SMALL_DISKS)
def test_a_writer_killed_on_a_disk_that_is_often_full_loses_nothing(
    kind, tmp_path, writers, size, counts
):
    chance = random.Random(SEED)
    with small_disk(tmp_path / "disk", kind) as disk:

        def other_room():
            disk.leave_room(chance.randrange(MAX_FREE_PAGES))

        lives = Lives(disk.folder, writers, change_room=other_room)
        for _ in range(size.kills_on_full_disks):
            other_room()
            lives.kill(When(operation=chance.randrange(MAX_OPERATIONS_OF_RETRIES)))
            counts[f"writers killed on a full {kind}"] += 1
        disk.make_room()
        lives.finish()
    assert lives.full
    counts[f"changes refused because a {kind} was full"] += lives.full
    _check_progress(lives, size.kills_on_full_disks, counts)


def _check_progress(lives, kills, counts):
    """Writers that are killed before they do anything prove nothing."""
    assert lives.acknowledged > kills // 2
    counts["steps acknowledged by writers before they were killed"] += lives.acknowledged
