"""A process that is given cases by number, and may die of one or hang."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

# A case takes some 20 ms; a machine can be busy.
HANGS_AFTER_S = 60


class CaseProcess:
    """Runs a module that reads a number a line, and writes an outcome a line, as JSON.

    A death or a hang is an outcome, too; the next case has a new process.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[object],
        *,
        folder: Path,
        warnings: Literal["error", "ignore", "default"] = "error",
        address_space: int | None = None,
        is_silent: bool = False,
    ) -> None:
        """Note what to run, in which folder; it starts with the first case.

        Args:
            module: the module.
            arguments: its arguments.
            folder: where it works.
            warnings: what becomes of them.
            address_space: its limit in bytes, where the system has one.
            is_silent: whether its stderr is dropped.
        """
        command = [sys.executable, "-W", warnings, "-m", module, *map(str, arguments)]
        if address_space is not None and os.name == "posix":
            limit = f'ulimit -v {address_space >> 10}; exec "$@"'
            command = ["sh", "-c", limit, "sh", *command]
        self._command, self._folder = command, folder
        self._stderr = subprocess.DEVNULL if is_silent else None
        self._process: subprocess.Popen[str] | None = None

    def outcome(self, number: int, *, seconds: float = HANGS_AFTER_S) -> dict[str, Any]:
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
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": path, **one_thread},
            text=True,
        )
