"""Fuzzing one target for some time, by processes that may die or hang."""

import hashlib
import os
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.engine.target import Target

# The longest that one input may take on a busy machine.
_HANGS_AFTER_S = 120
_TICK_S = 0.2


@dataclass
class Campaign:
    """What was done, and what was found: inputs, each with what it did."""

    executions: int = 0
    findings: dict[bytes, str] = field(default_factory=dict)


def fuzz(target: Target, folder: Path, kept: list[Path], seconds: float) -> Campaign:
    """Fuzz for so many seconds; the folder's corpus is used, and grows."""
    corpus = folder / "corpus"
    if not corpus.exists():
        (folder / "seeds").mkdir(parents=True, exist_ok=True)
        seeds = target.seeds(folder / "seeds")
        corpus.mkdir()
        for data in seeds:
            (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    for path in kept:
        shutil.copy(path, corpus / path.name)
    done = Campaign()
    # At least one process is begun, and given its seconds: instrumenting takes a few of its own.
    ends = time.monotonic() + seconds
    seed = len(list(corpus.iterdir()))
    while (left := ends - time.monotonic()) > 0:
        seed += 1
        _run(done, folder, [target.name, str(folder), f"{left:.1f}", str(seed)])
    return done


def replay(target: Target, folder: Path, files: list[Path]) -> Campaign:
    """Run files once each."""
    done = Campaign()
    folder.mkdir(parents=True, exist_ok=True)
    while len(files) > done.executions:
        rest = files[done.executions :]
        _run(done, folder, [target.name, str(folder), "replay", *map(str, rest)])
    return done


def _run(done: Campaign, folder: Path, arguments: list[str]) -> None:
    """Run a process to its end, whatever that is."""
    for name in ("current", "count"):
        (folder / name).unlink(missing_ok=True)
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "fuzz.engine.process", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
        )
        hung = _wait(process, folder)
    executions = _count(folder)
    done.executions += executions
    if process.returncode != 0:
        what = "hung" if hung else f"died with status {process.returncode}"
        tail = (folder / "log").read_bytes()[-3000:].decode(errors="replace")
        if not executions:
            raise RuntimeError(f"{arguments[0]}: could not begin: {what}\n{tail}")
        done.findings[(folder / "current").read_bytes()] = f"{what}\n{tail}"
    for text in (folder / "findings").glob("*.txt"):
        done.findings[text.with_suffix("").read_bytes()] = text.read_text(encoding="utf-8")


def _wait(process: subprocess.Popen[bytes], folder: Path) -> bool:
    """Wait for the end, or kill what makes no progress; whether it hung."""
    before, since = -1, time.monotonic()
    while process.poll() is None:
        time.sleep(_TICK_S)
        count = _count(folder)
        if count != before:
            before, since = count, time.monotonic()
        elif time.monotonic() - since > _HANGS_AFTER_S:
            process.kill()
            process.wait()
            return True
    return False


def _count(folder: Path) -> int:
    try:
        return struct.unpack("<Q", (folder / "count").read_bytes())[0]
    except (FileNotFoundError, struct.error):
        return 0
