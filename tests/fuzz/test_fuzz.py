"""Whatever bytes a reader is given, it raises EdgeEmbedError or nothing; it never dies or hangs.

The inputs kept in `corpus` and in `crashes` run every time. `--hours` fuzzes: the hours are shared
among all targets, what is new stays in the folder `.fuzz`, and each crash is kept as a test.
"""

import contextlib
import hashlib
from pathlib import Path

import pytest

from edgeembed import EdgeEmbedError
from fuzz.engine.campaign import fuzz, replay
from fuzz.targets.all import TARGETS

HERE = Path(__file__).parent
GROWING = HERE.parents[1] / ".fuzz"


def kept(name, folder):
    """The inputs of a target that are part of the repository."""
    return sorted(path for path in (HERE / folder / name).glob("*") if path.is_file())


def report(campaign):
    return "\n\n".join(
        f"{hashlib.sha256(data).hexdigest()[:16]}, {len(data)} bytes: {what}"
        for data, what in campaign.findings.items()
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_what_was_met_before_is_read_or_refused(name, tmp_path, counts):
    files = [*kept(name, "corpus"), *kept(name, "crashes")]
    if not files:
        pytest.skip("nothing is kept")
    campaign = replay(TARGETS[name], tmp_path, files)
    counts[f"{name}, kept"] += campaign.executions
    assert not campaign.findings, report(campaign)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_reads_its_own_seeds(name, tmp_path):
    target = TARGETS[name]
    for each in ("seeds", "work"):
        (tmp_path / each).mkdir()
    run = target.opened(tmp_path / "work")
    for data in target.seeds(tmp_path / "seeds")[:5]:
        with contextlib.suppress(EdgeEmbedError):
            run(data)


@pytest.mark.parametrize("name", TARGETS)
def test_bytes_are_read_or_refused(name, request, counts):
    hours = request.config.getoption("hours")
    if not hours:
        pytest.skip("fuzzing takes --hours")
    seconds = hours * 3600 / len(TARGETS)
    campaign = fuzz(TARGETS[name], GROWING / name, kept(name, "corpus"), seconds)
    counts[name] += campaign.executions
    for data in campaign.findings:
        path = HERE / "crashes" / name / hashlib.sha256(data).hexdigest()[:16]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert not campaign.findings, report(campaign)
