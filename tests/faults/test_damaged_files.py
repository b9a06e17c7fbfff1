"""Thousands of damaged files, each opened, searched and verified in a process that may die.

The answer is right, or a typed error, or verify() reports the damage; a text never comes under the
wrong key; and the process neither dies nor hangs.
"""

import importlib.util

import pytest

from faults.cases.case_process import CaseProcess
from faults.harness.sealed import write_sealed

# Not importorskip: onnxruntime cannot be imported after usearch.
_MISSING = [
    name for name in ("annoy", "faiss", "usearch") if importlib.util.find_spec(name) is None
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(_MISSING), reason=f"needs {_MISSING}"),
]
SEED = 11


def test_damaged_files_give_right_answers_or_typed_errors(tmp_path, size, counts):
    write_sealed(tmp_path / "sealed")
    reader = CaseProcess("faults.cases.damage_process", [tmp_path, SEED], folder=tmp_path)
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
