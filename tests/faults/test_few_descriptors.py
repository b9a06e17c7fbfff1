"""No more files can be opened: a typed error, no false alarm, and it works afterwards."""

import json
import os
import subprocess
import sys

import pytest

from edgeembed import Index
from faults.harness.sizes import SIZES
from helpers import tiny_images

pytest.importorskip("resource", reason="limits of descriptors are POSIX's")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/fd"),
]
if sys.platform == "linux":
    from faults.cases.descriptors_process import CALLS, DIM, KEYS, VECTORS
else:
    CALLS = {}


@pytest.fixture
def folder(tmp_path):
    with Index.create(tmp_path / "i", dim=DIM) as index:
        index.upsert(
            KEYS,
            documents=["stone river"] * len(KEYS),
            vectors=VECTORS,
            metadatas=[{"n": i} for i in range(len(KEYS))],
        )
        index.compact()
        index.upsert(KEYS[:2], documents=["cloud", "stone"], vectors=VECTORS[:2])
    return tmp_path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, tiny_path):
    path = tmp_path_factory.mktemp("bundles") / "dual.bundle"
    return tiny_images.write_dual_bundle(path, tiny_path)


@pytest.mark.parametrize("call", CALLS)
def test_a_typed_error_and_afterwards_an_answer(call, folder, bundle, size, counts):
    path = os.pathsep.join(entry for entry in sys.path if entry)
    most = 13 if size is SIZES["full"] else 8
    found = subprocess.run(
        [
            *(sys.executable, "-m", "faults.cases.descriptors_process"),
            *(call, folder, bundle, str(most)),
        ],
        env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    outcome = json.loads(found.stdout)
    assert not outcome["problems"], outcome["problems"][0]
    for name, count in outcome["counts"].items():
        counts[f"calls with few descriptors: {name}"] += count
