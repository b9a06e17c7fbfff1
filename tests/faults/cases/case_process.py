"""Runs a process that works on numbered cases, and may die or hang."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

# A case takes some 20 ms; a machine can be busy.
HANGS_AFTER_S = 60


class CaseProcess:
    """A process that reads numbers of cases, and writes the outcome of each as JSON."""

    def __init__(self, module: str, folder: Path, seed: int) -> None:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-m",
                module,
                folder,
                str(seed),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
            text=True,
        )

    def outcome(self, number: int) -> dict[str, Any]:
        """The outcome of a case; a death or a hang is one too."""
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], HANGS_AFTER_S)
        if not ready:
            self._process.kill()
            return {"result": "hang"}
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"result": "death", "status": self._process.wait()}

    def close(self) -> None:
        self._process.communicate()
