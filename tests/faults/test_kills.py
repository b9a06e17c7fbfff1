"""A writer killed with SIGKILL, at any operation and at any time.

No acknowledged batch is lost, none is there by half, and the next writer goes on.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeembed import Index
from edgeembed_runtime.errors import EdgeEmbedError
from faults.harness.batches import steps
from faults.harness.contents import State, assert_sound, contents, holds_or_refuses, same
from faults.harness.watching import needs_reports
from faults.harness.writer_process import MAX_STEPS

pytestmark = [needs_reports, pytest.mark.slow]
SEED = 3
# One step takes 40 to 150 operations, the recovery after a kill 0 to 60.
MAX_OPERATIONS = 300
MAX_SECONDS = 0.06
# Then a new index, so that creations are killed as well and checks stay quick. A writer that is
# not killed at once, on a busy machine, takes many more.
STEPS_OF_A_LIFE = 40


class Writers:
    """Starts one writer after the other, and reads what they acknowledge."""

    def __init__(self) -> None:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.harness.writer_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
            text=True,
        )

    def close(self) -> None:
        self._process.communicate()

    def live(self, path: Path, step: int, when: "When") -> tuple[int, bool]:
        """Let a writer run for a while.

        Returns:
            The last step that was acknowledged, and whether the writer was killed.
        """
        order = {"path": str(path), "step": step, "death": when.operation}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        acknowledged, status, child = step - 1, None, 0
        while status is None:
            word, _, rest = self._process.stdout.readline().strip().partition(" ")
            match word:
                case "started":
                    child = int(rest)
                case "done":
                    acknowledged = int(rest)
                case "ended":
                    status = int(rest)
                case "failed":
                    raise AssertionError(json.loads(rest))
            if word in ("started", "done") and acknowledged - step + 1 == when.steps:
                time.sleep(when.seconds)
                os.kill(child, signal.SIGKILL)
                when = When()
        return acknowledged, os.WIFSIGNALED(status)


@dataclass(frozen=True, kw_only=True)
class When:
    """When a writer is killed: before an operation, or some time after a number of steps."""

    operation: int | None = None
    steps: int | None = None
    seconds: float = 0.0


@pytest.fixture
def writers():
    started = Writers()
    yield started
    started.close()


class Lives:
    """Indexes whose writers are killed again and again."""

    def __init__(self, folder: Path, writers: Writers) -> None:
        self._folder = folder
        self._writers = writers
        self._states: list[State] = [{}]
        for step in steps(MAX_STEPS):
            self._states.append(step.change(self._states[-1]))
        self._life = 0
        self.acknowledged = 0
        self._begin()

    def _begin(self) -> None:
        self._life += 1
        self.path = self._folder / str(self._life) / "i"
        self.path.parent.mkdir()
        self._next = 0
        self._reader: Index | None = None

    def kill(self, when: When) -> None:
        """Kill the next writer and check what it leaves."""
        acknowledged, killed = self._writers.live(self.path, self._next, when)
        assert killed
        self.acknowledged += acknowledged + 1 - self._next
        if acknowledged < 0:
            held = holds_or_refuses(self.path)
            if isinstance(held, EdgeEmbedError):
                return
            # Made but not acknowledged: opening it is as good as making it.
            assert held == {}
            self._next = 1
            return
        held = assert_sound(self.path, self._states[acknowledged : acknowledged + 2])
        self._check_reader(held)
        done = acknowledged + (not same(held, self._states[acknowledged]))
        self._next = done + 1
        if self._next >= STEPS_OF_A_LIFE:
            self.finish()
            self._begin()

    def _check_reader(self, held: State) -> None:
        """A reader that was open all the time sees it too."""
        if self._reader is None:
            self._reader = Index.open(self.path)
        self._reader.refresh()
        assert same(contents(self._reader), held)

    def finish(self) -> None:
        if self._reader is not None:
            self._reader.close()
        shutil.rmtree(self._folder / str(self._life))


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


def _check_progress(lives, kills, counts):
    """Writers that are killed before they do anything prove nothing."""
    assert lives.acknowledged > kills // 2
    counts["steps acknowledged by writers before they were killed"] += lives.acknowledged
