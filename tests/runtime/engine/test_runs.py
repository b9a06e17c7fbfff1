"""A process that ends while daemon threads run a model ends with its own exit code."""

import subprocess
import sys

import pytest

CODE = """
import sys, threading, time
from edgeembed_runtime.encoder.encoder import Encoder
encoder = Encoder.load(sys.argv[1])
begun = threading.Event()

def work():
    while True:
        encoder.encode(["the cat sat on the mat"] * 64)
        begun.set()

for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
begun.wait()
sys.exit(7)
"""


@pytest.mark.parametrize("time", range(3))
def test_the_exit_code_is_the_program_s_own(tiny_path, time):
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(tiny_path)], capture_output=True, timeout=120, check=False
    )
    assert (result.returncode, result.stderr) == (7, b"")
