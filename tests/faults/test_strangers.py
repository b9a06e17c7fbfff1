"""Small bundles from a stranger load or are refused, soon and in little memory."""

import pytest

from faults.cases.case_process import CaseProcess
from faults.strangers.cases import KINDS

pytestmark = pytest.mark.slow

LOADS_WITHIN_S, GROWS_BY_MB = 5, 300
LIMIT_BYTES = 8 << 30


def test_hostile_bundles_load_or_are_refused_and_never_hurt(tmp_path, size, counts):
    assert size.strangers >= len(KINDS)  # each kind at least once
    stranger = CaseProcess(
        "faults.strangers.process",
        [tmp_path],
        folder=tmp_path,
        warnings="default",
        address_space=LIMIT_BYTES,
        is_silent=True,
    )
    for number in range(size.strangers):
        outcome = stranger.outcome(number)
        assert outcome["result"] in ("encoded", "failed", "refused"), (number, outcome)
        assert outcome["load_s"] <= LOADS_WITHIN_S, outcome
        assert outcome["mb"] <= GROWS_BY_MB, outcome
        counts[f"hostile bundles: {outcome['result']}"] += 1
    stranger.close()
    assert counts["hostile bundles: refused"] > size.strangers // 2
