"""Every write, sync, rename and removal fails once, and then all of them from there on.

After each failure the index, opened afresh, is sound and holds what it held before, or what it was
to hold; the error is a typed one; and doing it again works.
"""

import errno
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeembed import Index
from edgeembed_runtime.errors import EdgeEmbedError, IndexNotFoundError, StorageError
from faults.harness.batches import (
    DIM,
    SETTINGS,
    compact_step,
    delete_step,
    steps,
    upsert_step,
)
from faults.harness.contents import (
    State,
    assert_answers,
    assert_sound,
    assert_writable,
    contents,
    same,
)
from faults.harness.operations import Faults
from faults.harness.watching import needs_reports, watching

pytestmark = [needs_reports, pytest.mark.slow]


@dataclass(frozen=True, kw_only=True)
class Base:
    """An index to fail on, and its contents."""

    path: Path
    state: State


@pytest.fixture(scope="module")
def make_base(tmp_path_factory):
    """An index after some steps, closed."""
    made = {}

    def make(count: int) -> Base:
        if count not in made:
            path = tmp_path_factory.mktemp("base") / "i"
            state = {}
            with Index.create(path, dim=DIM, settings=SETTINGS) as index:
                for step in steps(count):
                    step.run(index)
                    state = step.change(state)
                if count:
                    assert_answers(index, state)
            made[count] = Base(path=path, state=state)
        return made[count]

    return make


# How many batches go before, and what the step then sets off.
CHANGES = {
    "the first upsert": (0, upsert_step(0)),
    "an upsert": (4, upsert_step(50)),
    "an upsert that seals": (2, upsert_step(2)),
    "an upsert that merges": (11, upsert_step(50)),
    "a delete": (4, delete_step(3)),
    "a compaction": (6, compact_step()),
    "a compaction of a fresh tail": (2, compact_step()),
}


@pytest.mark.parametrize("onwards", [False, True], ids=["once", "from there on"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_fails_as_a_whole(name, onwards, make_base, tmp_path, size, counts):
    before, step = CHANGES[name]
    base = make_base(before)
    after = step.change(base.state)

    def attempt(path, faults, arm):
        with Index.open(path, mode="rw", settings=SETTINGS) as index:
            arm()
            said = ""
            try:
                step.run(index)
                done = True
            except StorageError as error:
                done, said = False, str(error)
            faults.disarm()
            held = contents(index)
            assert same(held, after) or (not done and same(held, base.state))
            assert index.verify().ok
            if not done and not same(after, base.state):
                assert same(held, after) == ("in place" in said), said
            if faults.first % 2:  # else check() tries again, after a fresh opening
                step.run(index)
                assert same(contents(index), after)
                done = True
        return done

    def check(path, done):
        assert_sound(path, [after] if done else [base.state, after])
        assert_writable(path)
        with Index.open(path, mode="rw", settings=SETTINGS) as index:
            step.run(index)
        assert_sound(path, [after])

    tried = _fail_each(attempt, check, base.path, tmp_path, onwards, size, counts)
    assert tried > 3


@pytest.mark.parametrize("onwards", [False, True], ids=["once", "from there on"])
def test_a_creation_fails_as_a_whole(onwards, tmp_path, size, counts):
    def attempt(path, faults, arm):
        arm()
        try:
            Index.create(path / "made" / "i", dim=DIM).close()
            done = True
        except StorageError:
            done = False
        faults.disarm()
        return done

    def check(path, done):
        made = path / "made" / "i"
        try:
            Index.open(made).close()
        except EdgeEmbedError as error:
            assert not done
            assert isinstance(error, IndexNotFoundError) or "Index.create again" in str(error)
            Index.create(made, dim=DIM).close()
        assert_sound(made, [{}])
        assert_writable(made)

    empty = tmp_path / "empty"
    empty.mkdir()
    tried = _fail_each(attempt, check, empty, tmp_path, onwards, size, counts)
    assert tried > 3


@pytest.mark.parametrize("onwards", [False, True], ids=["once", "from there on"])
@pytest.mark.parametrize("name", ["backup", "repair"])
def test_a_copy_fails_without_a_trace(name, onwards, make_base, tmp_path, size, counts):
    base = make_base(6)

    def copy(index, target):
        if name == "backup":
            index.backup(target)
        else:
            Index.repair(index.path, target)

    def attempt(path, faults, arm):
        with Index.open(path) as index:
            arm()
            try:
                copy(index, path.parent / "copy")
                done = True
            except StorageError:
                done = False
            faults.disarm()
            assert same(contents(index), base.state)
        return done

    def check(path, done):
        target = path.parent / "copy"
        assert_sound(path, [base.state])
        if name == "backup" and not done:
            # A folder that could not be synced may stand there whole, never in part.
            left = [p.name for p in path.parent.iterdir() if p.name.startswith(".")]
            assert onwards or not left
        if target.exists() and (done or name == "backup"):
            assert_sound(target, [base.state])
        else:
            shutil.rmtree(target, ignore_errors=True)
            with Index.open(path) as index:
                copy(index, target)
            assert_sound(target, [base.state])

    tried = _fail_each(attempt, check, base.path, tmp_path, onwards, size, counts)
    assert tried > 3


def _fail_each(
    attempt: Callable, check: Callable, source: Path, folder: Path, onwards: bool, size, counts
) -> int:
    """Fail each operation in turn until an attempt meets no fault; returns how many there were."""
    faults = Faults()
    for tried, number in enumerate(range(0, 100_000, size.every)):
        code = errno.ENOSPC if tried % 2 else errno.EIO
        case = folder / str(number)
        path = case / "i"
        shutil.copytree(source, path)
        with watching(case, faults):
            done = attempt(
                path, faults, lambda at=number, c=code: faults.arm(at, onwards=onwards, code=c)
            )
            failed = list(faults.failed)
            try:
                check(path, done)
            except BaseException as error:
                error.add_note(f"after operation {number} failed: {failed[:1]}"[:300])
                raise
        shutil.rmtree(case)
        if not failed:
            assert done
            return tried
        counts["operations failed"] += len(failed)
    raise AssertionError("an attempt never came to its end")
