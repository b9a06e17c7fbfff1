"""Power cuts at any time during the life of an index, and what must survive them."""

import contextlib
import dataclasses
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edgeembed import Index
from edgeembed_runtime.errors import EdgeEmbedError, StorageError
from faults.harness.batches import DIM, SETTINGS, Step, compact_step, steps
from faults.harness.contents import State, assert_sound, assert_writable, holds_or_refuses
from faults.harness.lost_writes import LosingDisk
from faults.harness.operations import Faults, Kind, Observer, Operation
from faults.harness.sizes import Size
from faults.harness.watching import watching

SEED = 5


class Life:
    """Follows an index through its steps, and checks what a power cut could leave at any time."""

    def __init__(self, folder: Path, size: Size, counts: Counter) -> None:
        self.root = folder / "disk"
        self.root.mkdir()
        self.path = self.root / "made" / "i"
        self._after = folder / "after"
        self._size = size
        self._counts = counts
        self._chance = random.Random(SEED)
        self.disk = LosingDisk(self.root)
        self.allowed: list[State] | None = None
        """None while nothing is acknowledged: the index may be missing."""
        self._looking = False
        self._seen = 0
        self._problem: BaseException | None = None

    def play(self, todo: Sequence[Step]) -> None:
        """Create an index, take the steps, back it up; raise what a power cut would have broken."""
        state: State = {}
        with watching(self.root, self.cut_before):
            with Index.create(self.path, dim=DIM, settings=SETTINGS) as index:
                self.allowed = [state]
                for step in todo:
                    state = self.run(index, state, step)
                index.backup(self.root / "copy")
            self.settle()

    def run(self, index: Index, state: State, step: Step) -> State:
        """Take a step; while it is being taken, the index may hold what it held before."""
        after = step.change(state)
        self.allowed = [state, after]
        step.run(index)
        self.allowed = [after]
        return after

    def settle(self) -> None:
        """Raise what was found meanwhile, and check once more."""
        if self._problem is not None:
            raise self._problem
        self.look()

    def cut_before(self, operation: Operation) -> None:
        """An observer that, before every n-th operation, checks what a power cut would leave."""
        if self._looking or self._problem is not None:
            return
        if self._seen % self._size.lost_every == 0:
            self._looking = True
            try:
                self.look()
            except BaseException as error:
                # SQLite calls this: what is raised here would go nowhere.
                error.add_note(f"before operation {self._seen}: {operation.kind} {operation.path}")
                self._problem = error
            self._looking = False
        self._seen += 1
        self.disk(operation)

    def look(self) -> None:
        """Check every way in which the power can fail now."""
        self._survives(None, lose=True)
        self._survives(None, lose=False)
        for _ in range(self._size.lost_states):
            self._survives(random.Random(self._chance.random()), lose=False)

    def _survives(self, chance: random.Random | None, *, lose: bool) -> None:
        shutil.rmtree(self._after, ignore_errors=True)
        self.disk.survivors(self._after, chance, lose=lose)
        self._counts["power cuts"] += 1
        path = self._after / "made" / "i"
        if self.allowed is None:
            held = holds_or_refuses(path)
            assert held == {} or isinstance(held, EdgeEmbedError)
            return
        assert_sound(path, self.allowed)
        assert_writable(path)
        copy = self._after / "copy"
        if copy.exists():
            assert_sound(copy, self.allowed)


def fail_and_cut(life: Life, number: int) -> bool:
    """Fail one operation of a compaction, then the power; returns whether there was one."""
    return _fail(life, life.disk, number, None)


def fail_each_folder_sync(folder: Path, size: Size, counts: Counter) -> int:
    """Fail one sync of a folder, then the power before any later operation; returns how many."""
    dense = dataclasses.replace(
        size, lost_every=max(1, size.lost_every // 3), lost_states=2 * size.lost_states
    )
    for number in range(100):
        case = folder / str(number)
        case.mkdir()
        life = Life(case, dense, counts)
        if not _fail(life, life.cut_before, number, "sync folder"):
            return number
        shutil.rmtree(case)
        counts["operations failed"] += 1
    raise AssertionError("a compaction never came to its end")


def _fail(life: Life, after: Observer, number: int, kind: Kind | None) -> bool:
    """Fail an operation of a compaction; from there on `after` is told of all that follow."""
    faults = Faults()

    def observe(operation: Operation) -> None:
        faults(operation)
        (after if faults.failed else life.disk)(operation)

    state: State = {}
    with watching(life.root, observe):
        with Index.create(life.path, dim=DIM, settings=SETTINGS) as index:
            for step in steps(4):
                state = life.run(index, state, step)
            faults.arm(number, onwards=False, kind=kind)
            with contextlib.suppress(StorageError):
                life.run(index, state, compact_step())
            failed = bool(faults.failed)
            faults.disarm()
        life.settle()
        Index.open(life.path, mode="rw").close()
        life.settle()
    return failed
