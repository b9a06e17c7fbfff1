"""Thousands of damaged files, each opened, searched and verified in a process that may die.

The answer is right, or a typed error, or verify() reports the damage; a text never comes under the
wrong key; and the process neither dies nor hangs.
"""

import importlib.util
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from faults.harness.sealed import write_sealed

# Not importorskip: onnxruntime cannot be imported after usearch.
_MISSING = [name for name in ("annoy", "usearch") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(_MISSING), reason=f"needs {_MISSING}"),
]
SEED = 11
# A case takes some 20 ms; a machine can be busy.
HANGS_AFTER_S = 60


class Reader:
    """The process that damages files and uses them."""

    def __init__(self, folder: Path) -> None:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-m",
                "faults.harness.damage_process",
                folder,
                str(SEED),
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


def test_damaged_files_give_right_answers_or_typed_errors(tmp_path, size, counts):
    write_sealed(tmp_path / "sealed")
    reader = Reader(tmp_path)
    results = set()
    for number in range(size.fuzzed):
        outcome = reader.outcome(number)
        result = outcome["result"]
        # The damaged index stays in the folder "work", for whoever looks into this.
        assert result not in ("wrong", "not typed", "hang", "death"), (number, outcome)
        results.add(result)
        counts[f"damaged indexes: {result}"] += 1
    reader.close()
    assert {"refused", "reported by verify()", "not damaged in effect", "read"} <= results
