"""A thousand model directories that were made to hurt, each converted in a child that may die.

Each is converted, or refused by a typed error of one line; nothing runs that the model brings,
nothing is read or changed outside of it, and no half bundle is left.
"""

import sys

import pytest

from faults.cases.case_process import CaseProcess

pytest.importorskip("sentence_transformers")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits and watches children as Linux does"),
]
# The first answer comes after the libraries are loaded, on a machine that may be busy; what is work
# is limited in the child.
HANGS_AFTER_S = 900


def test_hostile_models_are_converted_or_refused_and_never_hurt(tmp_path, size, counts):
    process = CaseProcess("faults.hostile.model_process", [], folder=tmp_path, warnings="ignore")
    for number in range(size.hostile_models):
        outcome = process.outcome(number, seconds=HANGS_AFTER_S)
        assert outcome["result"] in ("converted", "refused"), (number, outcome)
        assert not outcome["faults"], (number, outcome)
        counts[f"hostile models: {outcome['result']}"] += 1
    process.close()
    assert counts["hostile models: refused"] > size.hostile_models // 2
