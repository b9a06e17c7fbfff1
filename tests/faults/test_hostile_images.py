"""Thousands of images that were made to hurt, each encoded in a process that may die.

Each is encoded or refused by a typed error, within 5 s of work and 300 MB.
"""

import sys

import pytest

from faults.cases.case_process import CaseProcess
from helpers.tiny_images import write_image_bundle

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="tells the peak of memory by /proc"),
]
MAX_SECONDS, MAX_MEGABYTES = 5, 300
# A machine can be busy, and a process has to start.
HANGS_AFTER_S = 120


def test_hostile_images_are_encoded_or_refused_in_little_time_and_memory(tmp_path, size, counts):
    bundle = write_image_bundle(tmp_path / "image.bundle")
    process = CaseProcess(
        "faults.hostile.image_process", [bundle], folder=tmp_path, warnings="ignore"
    )
    results = set()
    for number in range(size.hostile_images):
        outcome = process.outcome(number, seconds=HANGS_AFTER_S)
        assert outcome["result"] in ("encoded", "refused"), (number, outcome)
        assert outcome["seconds"] < MAX_SECONDS, (number, outcome)
        assert outcome["megabytes"] < MAX_MEGABYTES, (number, outcome)
        results.add(outcome["result"])
        counts[f"hostile images: {outcome['result']}"] += 1
    process.close()
    assert results == {"encoded", "refused"}
