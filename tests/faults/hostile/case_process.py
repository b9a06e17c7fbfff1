"""A process that is given cases by number, and may die of one."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class CaseProcess:
    """Runs a module that reads a number a line, and writes an outcome a line, as JSON.

    A death or a hang is an outcome, too; the next case has a new process.
    """

    def __init__(self, module: str, arguments: Sequence[object], *, folder: Path) -> None:
        """Note what to run, in which folder."""
        self._command = [sys.executable, "-W", "ignore", "-m", module, *map(str, arguments)]
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def outcome(self, number: int, *, seconds: float) -> dict[str, Any]:
        """What became of a case, which may take so long."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        line = process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        process.kill()
        self.close()
        return {"result": "death" if ready else "hang", "status": process.returncode}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            text=True,
        )
