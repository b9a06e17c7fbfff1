"""A process that encodes hostile images and reports the outcome; it may die.

Each line it reads is the number of a case, and each line it writes the outcome of one, as JSON. It
writes a file into the folder where it runs.

Run as: python -m faults.hostile.image_process BUNDLE
"""

import json
import sys
import time
import traceback
from pathlib import Path

from edgeembed import Encoder
from edgeembed_runtime.errors import EdgeEmbedError
from faults.hostile.images import hostile_image


def main(bundle: Path) -> None:
    """Answer until there are no more lines."""
    encoder = Encoder.load(bundle)
    for number in range(-20, 0):  # what is loaded once, and stays
        _outcome(encoder, number)
    for line in sys.stdin:
        print(json.dumps(_outcome(encoder, int(line))), flush=True)


def _outcome(encoder: Encoder, number: int) -> dict[str, object]:
    what, data = hostile_image(number)
    before, started = _start_of_peak(), time.process_time()
    problem = ""
    try:
        encoder.encode_image(_given(data, number))
        result = "encoded"
    except EdgeEmbedError as error:
        result, problem = "refused", str(error)[:300]
    except BaseException:
        result, problem = "not typed", traceback.format_exc()
    return {
        "what": what,
        "result": result,
        "problem": problem,
        "seconds": time.process_time() - started,
        "megabytes": (_memory("VmHWM") - before) / 1024,
    }


def _given(data: bytes, number: int) -> bytes | Path:
    """The bytes, or a path to them: libtiff reads what has a descriptor by itself."""
    if number % 2:
        return data
    path = Path("hostile image")
    path.write_bytes(data)
    return path


def _start_of_peak() -> int:
    """Forget the peak of memory so far; the kB in use now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise AssertionError(name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
