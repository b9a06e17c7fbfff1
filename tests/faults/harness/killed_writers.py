"""Writers that are killed again and again, and what they acknowledged before."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeembed import Index
from edgeembed_runtime.errors import EdgeEmbedError
from faults.harness.batches import steps
from faults.harness.contents import State, assert_sound, contents, holds_or_refuses, same
from faults.harness.writer_process import MAX_STEPS

# Then a new index, so that creations are killed as well and checks stay quick. A writer that is
# not killed at once, on a busy machine, takes many more.
STEPS_OF_A_LIFE = 40


def _nothing() -> None:
    """The disk stays as it is."""


@dataclass(frozen=True, kw_only=True)
class When:
    """When a writer is killed: before an operation, or some time after a number of steps."""

    operation: int | None = None
    steps: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Life:
    """What a writer did before it was killed."""

    acknowledged: int
    """The last step that was acknowledged."""
    killed: bool
    full: int
    """How often it was refused because the disk was full."""


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

    def live(
        self, path: Path, step: int, when: When, *, change_room: Callable[[], None] | None = None
    ) -> "Life":
        """Let a writer run for a while.

        Args:
            path: of the index.
            step: the one to begin with.
            when: it is killed.
            change_room: called after every step and every refusal; a writer tries again where the
                disk was full. None for disks that are never full.
        """
        order = {
            "path": str(path),
            "step": step,
            "death": when.operation,
            "patient": change_room is not None,
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        acknowledged, status, child, full = step - 1, None, 0, 0
        while status is None:
            word, _, rest = self._process.stdout.readline().strip().partition(" ")
            match word:
                case "started":
                    child = int(rest)
                case "done":
                    acknowledged = int(rest)
                    (change_room or _nothing)()
                case "full":
                    full += 1
                    (change_room or _nothing)()
                case "ended":
                    status = int(rest)
                case "failed":
                    raise AssertionError(json.loads(rest))
            if word in ("started", "done") and acknowledged - step + 1 == when.steps:
                time.sleep(when.seconds)
                os.kill(child, signal.SIGKILL)
                when = When()
        return Life(acknowledged=acknowledged, killed=os.WIFSIGNALED(status), full=full)


class Lives:
    """Indexes whose writers are killed again and again."""

    def __init__(
        self, folder: Path, writers: Writers, *, change_room: Callable[[], None] | None = None
    ) -> None:
        self._folder = folder
        self._writers = writers
        self._change_room = change_room
        self._states: list[State] = [{}]
        for step in steps(MAX_STEPS):
            self._states.append(step.change(self._states[-1]))
        self._life = 0
        self.acknowledged = 0
        self.full = 0
        self._begin()

    def _begin(self) -> None:
        self._life += 1
        self.path = self._folder / str(self._life) / "i"
        self.path.parent.mkdir()
        self._next = 0
        self._reader: Index | None = None

    def kill(self, when: When) -> None:
        """Kill the next writer and check what it leaves."""
        life = self._writers.live(self.path, self._next, when, change_room=self._change_room)
        assert life.killed
        acknowledged = life.acknowledged
        self.acknowledged += acknowledged + 1 - self._next
        self.full += life.full
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
