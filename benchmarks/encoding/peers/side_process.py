"""A worker process of one side, seen from the benchmark: tasks by name, answers as JSON."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.encoding.peers.sides import SIDES

ROOT = Path(__file__).parents[3]
WORKER = Path(__file__).with_name("worker.py")


class SideError(RuntimeError):
    """A side that cannot be measured, and why."""


@dataclass(frozen=True)
class Places:
    """Where things are: environments and artifacts, the original model, the bundle, the texts."""

    envs: Path
    model: Path
    bundle: Path
    texts: Path

    def python(self, name: str) -> Path:
        """The interpreter of a side."""
        env = SIDES[name].env
        return Path(sys.executable) if env == "current" else self.envs / env / "bin" / "python"

    def artifacts(self, name: str) -> Path:
        """The side's own folder: its export of the model, or the bundle."""
        return self.bundle if SIDES[name].env == "current" else self.envs / "models" / name

    def environment(self, name: str) -> dict[str, str]:
        """Bytecode is kept, as after an installation; peers see no path but that of benchmarks/."""
        left_out = {"PYTHONDONTWRITEBYTECODE"}
        kept = {key: value for key, value in os.environ.items() if key not in left_out}
        return kept if SIDES[name].env == "current" else {**kept, "PYTHONPATH": str(ROOT)}

    def log(self, name: str) -> Path:
        """What the side's process says on stderr."""
        return self.envs / "logs" / f"{name}.log"


class SideProcess:
    """A process of one side in its own environment."""

    def __init__(self, name: str, places: Places, folder: Path | None = None) -> None:
        log = places.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        arguments = [places.model, folder or places.artifacts(name), places.texts]
        self.log = log
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [places.python(name), "-W", "ignore", WORKER, name, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=places.environment(name),
            )
        assert self.process.stdin is not None and self.process.stdout is not None  # pipes
        self._tasks, self._answers = self.process.stdin, self.process.stdout

    def ask(self, task: str) -> Any:
        """Give a task and wait for the answer."""
        try:
            print(task, file=self._tasks, flush=True)
            answer = self._answers.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.process.wait()
            said = self.log.read_text(errors="replace").strip().splitlines() or ["nothing said"]
            raise SideError(f"{task.split()[0]} failed: {said[-1][:300]} (see {self.log})")
        return json.loads(answer)

    def close(self) -> None:
        """Let the process end, and wait until it has."""
        with contextlib.suppress(BrokenPipeError):
            self._tasks.close()
        self.process.wait()

    def __enter__(self) -> "SideProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
