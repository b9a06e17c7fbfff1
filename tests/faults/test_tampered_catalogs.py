"""Catalogs from somebody who knows SQLite: every call answers or raises a typed error, and soon."""

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
SEED = 18


def test_every_call_answers_or_raises_a_typed_error(tmp_path, size, counts):
    write_sealed(tmp_path / "sealed")
    process = CaseProcess("faults.cases.tampering_process", [tmp_path, SEED], folder=tmp_path)
    for number in range(size.tampered):
        outcome = process.outcome(number)
        # The tampered index stays in the folder "work", for whoever looks into this.
        assert outcome.get("result") is None, (number, outcome)
        assert not outcome["problems"], (number, outcome["what"], outcome["problems"][0])
        counts["tampered catalogs"] += 1
        for name, count in outcome["counts"].items():
            counts[f"calls with a tampered catalog: {name}"] += count
    process.close()
    assert counts["calls with a tampered catalog: IndexCorruptError"]
