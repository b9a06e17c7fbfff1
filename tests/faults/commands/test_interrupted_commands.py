"""Ctrl-C and SIGTERM at any moment of any command: one line, a second at most, a usable state."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from edgeembed import Encoder, Index
from edgeembed.cli.shared.interrupts import LINE
from helpers import tiny_bundle, tiny_images

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send"),
]
SHOWN = f"edgeembed: {LINE}\n"
HANGS_AFTER_S = 120
# It says when the interpreter's own start is over: until then signals are Python's.
STARTED = """
from edgeembed.cli import main
from edgeembed.cli.shared.interrupts import INTERRUPTS

install = INTERRUPTS.install
INTERRUPTS.install = lambda: (install(), print("started", flush=True))
main()
"""
LIGHT: Mapping[str, str] = {
    "embed": "embed tiny.bundle texts.txt -o made.npy",
    "index": "index notes -m tiny.bundle -i made.index",
    "index again": "index notes -m tiny.bundle -i old.index --all",
    "search": "search cat -i old.index",
    "dedupe": "dedupe photos -m image.bundle --html made.html",
    "map": "map old.index -o made.html",
    "export": "export old.index -o made.npy",
    "inspect": "inspect tiny.bundle",
    "verify": "verify old.index",
    "doctor": "doctor",
}
LONG: Mapping[str, str] = {
    "bench": "bench tiny.bundle",
    "eval": "eval tiny.bundle --tasks pairs.tsv --draws 2",
    "calibrate": "calibrate own.bundle judged.tsv --passage-tokens 20",
    "demo": "demo --folder made.cache",
    "convert": "convert model made.bundle --quantize int8",
    "quantize": "quantize tiny.bundle made.bundle",
    "train": "train model examples.tsv made.bundle",
    "distill static": "distill static tiny.bundle texts.txt made.bundle --vocabulary 137 --dim 8",
    "distill student": "distill student model texts.txt made.bundle --layers 1",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, size):
    """A folder with everything that the commands need."""
    folder = tmp_path_factory.mktemp("commands")
    for name in ("tiny.bundle", "own.bundle"):
        tiny_bundle.write_tiny_bundle(folder / name)
    words = ("cat", "dog", "rain", "sun", "train", "music", "soup", "tomato", "guitar", "river")
    pairs = [(a, b) for a in words for b in words if a < b]
    forms = ("the {} and the {}\n", "a {} with a {}\n", "no {} or {}\n", "one {}, two {}\n")
    texts = "".join(form.format(*pair) for form in forms for pair in pairs)
    (folder / "texts.txt").write_text(texts)
    judged = [f"the {a} {b}\t{a} {b} on the mat\t1\n" for a, b in pairs]
    (folder / "judged.tsv").write_text("query\tdocument\tscore\n" + "".join(judged))
    examples = [f"the {a} {b}\t{a} {b} on the mat\n" for a, b in pairs]
    (folder / "examples.tsv").write_text("anchor\tpositive\n" + "".join(examples))
    scored = [f"the {a}\tthe {b}\t{number % 6}\n" for number, (a, b) in enumerate(pairs)]
    (folder / "pairs.tsv").write_text("sentence1\tsentence2\tscore\n" + "".join(scored))
    notes = folder / "notes"
    notes.mkdir()
    for number, (a, b) in enumerate(pairs * 5):
        (notes / f"{number}.txt").write_text(f"the {a} saw {number} of the {b}\n")
    tiny_images.write_image_bundle(folder / "image.bundle")
    photos = folder / "photos"
    photos.mkdir()
    for number in range(60):
        tiny_images.photo(seed=number).save(photos / f"{number}.png")
    seconds_of("index notes -m tiny.bundle -i old.index", folder)
    if size.interrupts_of_long:
        from helpers.model_zoo import TinyModels  # which takes long to import

        models = TinyModels(tmp_path_factory.mktemp("models"))
        (folder / "model").symlink_to(models.transformers("bert", layers=2, positions=64, limit=64))
    return folder


def start(command: str, folder: Path):
    return subprocess.Popen(
        [sys.executable, "-c", STARTED, *command.split()],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def seconds_of(command: str, folder: Path) -> float:
    """How long a command takes that nobody interrupts."""
    began = time.monotonic()
    with start(command, folder) as process:
        _, errors = process.communicate(timeout=10 * HANGS_AFTER_S)
    assert process.returncode == 0, errors.decode()
    clean(folder)
    return time.monotonic() - began


def clean(folder: Path) -> None:
    for made in folder.glob("made*"):
        if made.is_dir():
            subprocess.run(["rm", "-rf", made], check=True)
        else:
            made.unlink()


def interrupted(command: str, folder: Path, signum: int, after: float) -> float | None:
    """Send the signal that long after the start.

    Returns the seconds until the end, or None if the command had ended before.
    """
    with start(command, folder) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"started\n"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after)
        process.send_signal(signum)
        sent = time.monotonic()
        errors = process.communicate(timeout=HANGS_AFTER_S)[1].decode()
        took = time.monotonic() - sent
    if process.returncode == 0:
        return None
    shown = [line for line in errors.splitlines(keepends=True) if line.startswith("edgeembed: ")]
    assert (process.returncode, shown) == (128 + signum, [SHOWN]), errors
    assert "Traceback" not in errors
    return took


def check_state(folder: Path) -> None:
    """What is there can be used, and nothing half made is left."""
    assert not list(folder.rglob("*.tmp*"))
    with Index.open(folder / "old.index") as index:
        assert (len(index), index.verify(full=True).problems) == (225, ())
    if (folder / "made.index" / "edgeembed.sqlite3").exists():
        with Index.open(folder / "made.index") as index:
            assert index.verify(full=True).problems == ()
    for bundle in (folder / "own.bundle", folder / "made.bundle"):
        if bundle.exists():
            Encoder.load(bundle).close()
    if (folder / "made.npy").exists():
        np.load(folder / "made.npy")
    if (folder / "made.jsonl").exists():
        for line in (folder / "made.jsonl").read_text().splitlines():
            json.loads(line)


@pytest.mark.parametrize("name", [*LIGHT, *LONG])
def test_a_command_can_be_interrupted_at_any_moment(name, folder, size, counts):
    times = size.interrupts if name in LIGHT else size.interrupts_of_long
    if not times:
        pytest.skip("takes long: --faults full")
    command = {**LIGHT, **LONG}[name]
    whole = seconds_of(command, folder)
    rng = np.random.default_rng(len(name))
    for turn in range(times):
        signum = (signal.SIGINT, signal.SIGTERM)[turn % 2]
        took = interrupted(command, folder, signum, after=float(rng.random()) * whole * 0.9)
        if took is not None:
            counts["signals to commands at work"] += 1
            slowest = max(counts["milliseconds until the slowest ended"], round(took * 1000))
            counts["milliseconds until the slowest ended"] = slowest
        check_state(folder)
        if took is not None and turn % 5 == 0:  # the same command goes on and ends
            seconds_of(command, folder)
        clean(folder)
