"""A process whose children write batches until they are killed.

Each line it reads orders one child, forked so that it starts at once. The child opens the index (or
makes it), takes step after step of faults.harness.batches, and acknowledges each with a line.

Run as: python -m faults.harness.writer_process
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from edgeembed import Index
from edgeembed_runtime.errors import StorageError
from faults.harness.batches import DIM, SETTINGS, steps
from faults.harness.operations import Death
from faults.harness.watching import watching

MAX_STEPS = 100
# A busy machine may let it take them all before the kill arrives.
WAIT_TO_BE_KILLED_SECONDS = 60
SECONDS_BETWEEN_TRIES = 0.002
T = TypeVar("T")


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _live(Path(order["path"]), order["step"], order["death"], patient=order["patient"])
        _tell(f"started {child}")
        _, status = os.waitpid(child, 0)
        _tell(f"ended {status}")


def _live(path: Path, first: int, death: int | None, *, patient: bool) -> None:
    """Take the steps from a number on; never returns. Step 0 is to make the index.

    A patient writer tries again where the file system refuses.
    """

    def until_done(act: Callable[[], T]) -> T:
        while True:
            try:
                return act()
            except StorageError:
                if not patient:
                    raise
                _tell("full")
                time.sleep(SECONDS_BETWEEN_TRIES)

    try:
        with watching(path.parent, Death(death)):
            if first == 0:
                index = until_done(
                    lambda: Index.create(path, dim=DIM, settings=SETTINGS, lock_timeout_s=0)
                )
                _tell("done 0")
            else:
                index = until_done(
                    lambda: Index.open(path, mode="rw", settings=SETTINGS, lock_timeout_s=0)
                )
                _tell("opened")
            with index:
                for number, step in enumerate(steps(MAX_STEPS), start=1):
                    if number >= max(1, first):
                        until_done(partial(step.run, index))
                        _tell(f"done {number}")
                time.sleep(WAIT_TO_BE_KILLED_SECONDS)
    except BaseException:
        _tell("failed " + json.dumps(traceback.format_exc()))
    finally:
        os._exit(1)


def _tell(line: str) -> None:
    # One write each: nothing of it stays in a buffer of a process that is killed.
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    main()
