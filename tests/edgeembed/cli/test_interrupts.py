"""Ctrl-C and SIGTERM: one line, exit code 130 or 143, nothing half done."""

import signal
import subprocess
import sys
import time

import pytest

from edgeembed import Index
from edgeembed.cli.shared.interrupts import LINE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
SHOWN = f"edgeembed: {LINE}"
HANG_S = 60
STUCK = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.storage import staged_directory
from edgeembed.cli import main

def stuck(_):
    with staged_directory(Path("made"), replace=False):
        for signum in {signals}:
            os.kill(os.getpid(), signum)
            {between}
        {stuck}

Bundle.open = stuck
sys.argv = ["edgeembed", "inspect", "static"]
main()
"""


def stuck(command, stuck, signals="(signal.SIGINT,)", between=""):
    return command(code=STUCK.format(stuck=stuck, signals=signals, between=between or "pass"))


# Native code that no exception gets through.
NATIVE = "import ctypes; ctypes.CDLL(None).sleep(100)"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_one_line_and_its_exit_code(command, tmp_path, signum):
    result = stuck(command, "time.sleep(100)", f"({int(signum)},)")
    assert (result.returncode, result.stderr.decode()) == (128 + signum, f"{SHOWN}\n")
    assert list(tmp_path.iterdir()) == []


def test_native_code_that_does_not_return_is_left_and_nothing_half_made_stays(command, tmp_path):
    kill = "import threading; threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()"
    result = stuck(command, f"{kill}; {NATIVE}", "()")
    assert (result.returncode, result.stderr.decode()) == (130, f"{SHOWN}\n")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_that_is_swallowed_ends_the_process_all_the_same(command):
    code = """
try:
            os.kill(os.getpid(), signal.SIGINT)
        except BaseException: pass
        time.sleep(100)"""
    result = stuck(command, code.strip(), "()")
    assert (result.returncode, result.stderr.decode()) == (130, f"{SHOWN}\n")


def test_a_second_signal_ends_a_cleanup_that_hangs(command):
    code = """
try:
            os.kill(os.getpid(), signal.SIGINT); time.sleep(100)
        finally:
            os.kill(os.getpid(), signal.SIGINT); time.sleep(100)"""
    result = stuck(command, code.strip(), "()")
    assert (result.returncode, result.stderr.decode()) == (130, f"{SHOWN}\n")


IMPORTING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from edgeembed.cli import main

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), {signum})

sys.meta_path.insert(0, Interrupt())
sys.argv = ["edgeembed", "--version"]
main()
"""


@pytest.mark.parametrize(
    "name",
    ["edgeembed.cli.shared.interrupts", "socket", "edgeembed.cli.process", "typer", "numpy"],
)
def test_an_import_can_be_interrupted(command, name):
    result = command(code=IMPORTING.format(name=name, signum=int(signal.SIGINT)))
    assert (result.returncode, result.stderr.decode()) == (130, f"{SHOWN}\n")


def test_an_import_that_is_terminated_has_the_exit_code_of_that(command):
    code = IMPORTING.format(name="edgeembed.cli.process", signum=int(signal.SIGTERM))
    result = command(code=code)
    assert (result.returncode, result.stderr.decode()) == (143, f"{SHOWN}\n")


def test_a_signal_at_the_very_end_is_told_as_well(command):
    code = """
import atexit, os, signal, sys, time
from edgeembed.cli import main
atexit.register(lambda: (os.kill(os.getpid(), signal.SIGTERM), time.sleep(100)))
sys.argv = ["edgeembed", "--version"]
main()
"""
    result = command(code=code)
    assert (result.returncode, result.stderr.decode()) == (143, f"{SHOWN}\n")
    assert result.stdout.startswith(b"edgeembed ")


# It says when the interpreter's own start is over.
STARTED = "from edgeembed.cli import main; print('started', flush=True); main()"


@pytest.mark.slow
def test_an_index_that_is_interrupted_at_any_moment_is_completed_by_the_next_run(command, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    for number in range(300):
        (notes / f"{number}.txt").write_text(f"a cat and {number} trains\n")
    arguments = ["index", "notes", "-m", "static", "-i", "i"]
    began = time.monotonic()
    assert command(*arguments).returncode == 0
    whole = time.monotonic() - began
    interrupted = 0
    for step in range(6):
        index = tmp_path / f"i{step}"
        arguments[-1] = str(index)
        with subprocess.Popen(
            [sys.executable, "-c", STARTED, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"started\n"
            time.sleep(whole * step / 6)
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=HANG_S)[1].decode()
        if process.returncode != 0:
            assert (process.returncode, errors) == (130, f"{SHOWN}\n")
            interrupted += 1
        assert command(*arguments).returncode == 0
        with Index.open(index) as opened:
            assert (len(opened), opened.verify(full=True).problems) == (300, ())
        assert not list(tmp_path.rglob("*.tmp"))
    assert interrupted
