"""A process that loads hostile bundles and encodes with them; it may die.

Each line it reads is the number of a case, and each line it writes the outcome of one, as JSON: the
class of the error, if any, the seconds of work that loading took, and by how many MB the process
grew.

Run as: python -m faults.strangers.process FOLDER
"""

import json
import resource
import shutil
import sys
import time
import warnings
from pathlib import Path

from edgeembed import EdgeEmbedError, Encoder
from faults.strangers.cases import TEXTS, write_case
from helpers import tiny_bundle


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    template = tiny_bundle.write_tiny_bundle(folder / "template")
    with Encoder.load(template, threads=1) as encoder:
        encoder.encode(list(TEXTS))  # the libraries themselves take memory once
    for line in sys.stdin:
        number = int(line)
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        what = write_case(number, work, template)
        print(json.dumps({"number": number, "what": what, **outcome(work)}), flush=True)


def outcome(bundle: Path) -> dict[str, object]:
    before, began = peak_mb(), time.process_time()
    loaded = None
    result: dict[str, object] = {"result": "encoded"}
    try:
        with Encoder.load(bundle, threads=1) as encoder:
            loaded = time.process_time() - began
            for text in TEXTS:
                encoder.encode(text)
            encoder.encode(list(TEXTS))
            encoder.self_test()
    except EdgeEmbedError as error:
        result = {"result": "refused" if loaded is None else "failed", "error": str(error)[:300]}
        result["type"] = type(error).__name__
    except BaseException as error:
        result = {"result": "not typed", "error": repr(error)[:300]}
    now = time.process_time() - began
    load_s = now if loaded is None else loaded
    return {**result, "load_s": round(load_s, 2), "s": round(now, 2), "mb": peak_mb() - before}


def peak_mb() -> int:
    # Linux counts in KiB, macOS in bytes.
    unit = 1 << 20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit


if __name__ == "__main__":
    main(Path(sys.argv[1]))
