"""Requests that Schemathesis makes of the server's own description find no failure in it."""

import shutil
import subprocess

import pytest

from faults.http import raw

pytestmark = pytest.mark.slow


def test_requests_made_of_the_description_find_no_server_error(
    request, tiny_path, tmp_path, counts
):
    command = shutil.which("schemathesis")
    if command is None or request.config.getoption("faults") == "small":
        pytest.skip("runs with --faults full, if schemathesis is on the path")
    server = raw.start(tmp_path, tiny_path, {"read_timeout_s": 2})
    try:
        done = subprocess.run(
            [
                *(command, "run", f"http://127.0.0.1:{server.port}/openapi.json"),
                *("--header", f"Authorization: Bearer {raw.KEY}", "--seed", "20"),
                *("--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing"),
                *("--max-examples", "100", "--generation-database", "none"),
            ],
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stdout[-5000:]
        assert server.is_well()
    finally:
        server.stop()
    counts["schemathesis runs"] += 1
