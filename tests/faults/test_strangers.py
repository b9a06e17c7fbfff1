"""Small bundles from a stranger load or are refused, soon and in little memory."""

import json
import os
import select
import subprocess
import sys
from typing import Any

import pytest

from faults.strangers.cases import KINDS

pytestmark = pytest.mark.slow

LOADS_WITHIN_S, GROWS_BY_MB, HANGS_AFTER_S = 5, 300, 60
LIMIT_BYTES = 8 << 30


class Stranger:
    """A process that uses hostile bundles, within limits."""

    def __init__(self, folder: Any) -> None:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        command = [sys.executable, "-m", "faults.strangers.process", str(folder)]
        if os.name == "posix":
            command = ["sh", "-c", f'ulimit -v {LIMIT_BYTES >> 10}; exec "$@"', "sh", *command]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
            text=True,
        )

    def outcome(self, number: int) -> dict[str, Any]:
        """The outcome of a case; a death or a hang is one too."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], HANGS_AFTER_S)
        if not ready:
            self._process.kill()
            return {"result": "hang"}
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"result": "death", "status": self._process.wait()}

    def close(self) -> None:
        self._process.communicate()


def test_hostile_bundles_load_or_are_refused_and_never_hurt(tmp_path, size, counts):
    assert size.strangers >= len(KINDS)  # each kind at least once
    stranger = Stranger(tmp_path)
    for number in range(size.strangers):
        outcome = stranger.outcome(number)
        assert outcome["result"] in ("encoded", "failed", "refused"), (number, outcome)
        assert outcome["load_s"] <= LOADS_WITHIN_S, outcome
        assert outcome["mb"] <= GROWS_BY_MB, outcome
        counts[f"hostile bundles: {outcome['result']}"] += 1
    stranger.close()
    assert counts["hostile bundles: refused"] > size.strangers // 2
