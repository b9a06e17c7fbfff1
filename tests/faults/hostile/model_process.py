"""A process that converts hostile model directories; each in a child, which may die.

Each line it reads is the number of a case, and each line it writes the outcome of one, as JSON. It
works in the folder where it runs. The libraries are loaded once, and warm.

Run as: python -m faults.hostile.model_process
"""

import json
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import torch

from edgeembed import convert
from edgeembed_runtime.errors import EdgeEmbedError
from faults.hostile.confined import run_confined
from faults.hostile.model_bases import write_bases
from faults.hostile.model_cases import write_case
from faults.hostile.model_places import SECRET

_MEMORY = 4 << 30
# A sound conversion takes 10 s, nearly all of them in torch's exporter.
_CPU_S, _WALL_S = 60, 600


def main() -> None:
    """Answer until there are no more lines."""
    torch.set_num_threads(1)
    here = Path.cwd()
    bases = write_bases(here / "bases")
    convert(bases["plain"], here / "warm")
    for line in sys.stdin:
        print(json.dumps(_outcome(int(line), here, bases)), flush=True)


def _outcome(number: int, here: Path, bases: dict[str, Path]) -> dict[str, object]:
    work = here / "work"
    _remove(work)
    for name in ("", "models", "out", "tmp", "home"):
        (work / name).mkdir()
    model, outside = work / "models" / "model", work / "outside"
    what = write_case(number, model, outside, bases)
    before = _listing(outside), _listing(work / "models")
    target = work / "out" / "bundle"

    def run() -> str:
        os.environ.update(TMPDIR=str(work / "tmp"), HOME=str(work / "home"))
        tempfile.tempdir = None
        try:
            convert(model, target)
        except EdgeEmbedError as error:
            return f"refused: {type(error).__name__}: {error}"
        except BaseException as error:
            return f"not typed: {error!r:.200} {traceback.format_exc()[-1500:]}"
        return "converted"

    found = run_confined(
        run, work=work, secret=outside, memory=_MEMORY, cpu_s=_CPU_S, wall_s=_WALL_S
    )
    result = found.outcome.partition(":")[0]
    faults = [f"did {each}" for each in found.did]
    if result == "refused" and "\n" in found.outcome and "\\n" not in what:
        faults.append("several lines")
    faults += _left(result, work, target)
    if (_listing(outside), _listing(work / "models")) != before:
        faults.append("files beside the bundle changed")
    if (outside / "code ran").exists():
        faults.append("code ran")
    return {
        "what": what,
        "result": result,
        "problem": found.outcome[:2500],
        "faults": faults,
        "seconds": found.seconds,
        "megabytes": found.megabytes,
    }


def _left(result: str, work: Path, target: Path) -> list[str]:
    """What a conversion left that it should not have."""
    found: list[str] = []
    if result not in ("converted", "refused"):
        return found
    whole = [target] if result == "converted" else []
    places = [*(work / "out").iterdir(), *(work / "tmp").iterdir()]
    found += [f"left {path}" for path in places if path not in whole]
    files = (path for path in (work / "out").rglob("*") if path.is_file())
    if any(SECRET.encode() in path.read_bytes() for path in files):
        found.append("the secret is in the bundle")
    return found


def _listing(folder: Path) -> list[tuple[str, int, int, int]]:
    """Names, kinds, sizes and times of change of everything below a folder."""
    found = []
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found.append((os.fsdecode(path), status.st_mode, status.st_size, status.st_mtime_ns))
    return found


def _remove(folder: Path) -> None:
    for path, folders, _ in os.walk(folder):
        for name in folders:
            each = Path(path, name)
            if not each.is_symlink():
                each.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
