"""Makes what the sides need: a virtual environment per peer, and the model in the peer's format.

What cannot be made is written down in missing/NAME.txt, and the benchmark reports it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.encoding.peers.side_process import Places, SideError, SideProcess
from benchmarks.encoding.peers.sides import SIDES

HERE = Path(__file__).parent
CHART = "chart"  # the environment that draws the chart


def setup(places: Places, names: list[str]) -> None:
    """Make the environments and models that are missing; say which cannot be made."""
    failed: dict[str, str] = {}
    for env in dict.fromkeys([*(SIDES[name].env for name in names), CHART]):
        if env != "current":
            try:
                make_environment(places.envs / env, HERE / f"requirements-{env}.txt")
            except (OSError, subprocess.CalledProcessError) as error:
                failed[env] = f"environment {env}: {said(error)}"
                print("  cannot be made:", failed[env], flush=True)
    for name in names:
        reason = failed.get(SIDES[name].env) or make_model(name, places)
        note = missing_note(places, name)
        if reason:
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(reason)
            print("  left out:", name, "-", reason, flush=True)
        else:
            note.unlink(missing_ok=True)


def make_environment(folder: Path, requirements: Path) -> None:
    """An environment with these requirements; its file `made` says that it is whole."""
    made, wanted = folder / "made", requirements.read_text()
    if made.exists() and made.read_text() == wanted:
        return
    print("environment:", folder.name, flush=True)
    run([sys.executable, "-m", "venv", folder])
    pip = [folder / "bin" / "python", "-m", "pip"]
    run([*pip, "install", "-q", "-r", requirements])
    # optimum-intel brings it, and it cannot be loaded beside a torch built for the CPU.
    run([*pip, "uninstall", "-q", "-y", "torchvision"])
    made.write_text(wanted)


def make_model(name: str, places: Places) -> str:
    """The side's own export of the model; the reason where it cannot be made."""
    folder = places.artifacts(name)
    if folder.exists():
        return ""
    print("model:", name, flush=True)
    partial = folder.with_name(f"{name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with SideProcess(name, places, partial) as process:
            process.ask("prepare")
    except SideError as error:
        shutil.rmtree(partial, ignore_errors=True)
        return str(error)
    partial.rename(folder)
    return ""


def missing_note(places: Places, name: str) -> Path:
    return places.envs / "missing" / f"{name}.txt"


def why_missing(places: Places, name: str) -> str:
    """Empty for a side that can run."""
    note = missing_note(places, name)
    if note.exists():
        return note.read_text()
    if places.python(name).exists() and places.artifacts(name).exists():
        return ""
    return "not set up: run with --setup"


def run(command: list[str | Path]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def said(error: OSError | subprocess.CalledProcessError) -> str:
    lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
    return next((line for line in lines if "ERROR" in line), lines[-1])[:300]
