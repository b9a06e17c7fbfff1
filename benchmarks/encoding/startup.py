"""How long imports take, in fresh processes, in turns."""

import argparse
import statistics
import subprocess
import sys

from benchmarks.common.results_file import write_results

SCRIPTS = (
    "import edgeembed",
    "from edgeembed import Encoder, Index",
    "import sentence_transformers",
)


def seconds(script: str) -> float:
    """What the script itself takes, the interpreter's own start left out."""
    timed = f"import time; t = time.perf_counter(); {script}; print(time.perf_counter() - t)"
    command = [sys.executable, "-W", "ignore", "-c", timed]
    return float(subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    for script in SCRIPTS:  # warms the disk cache
        seconds(script)
    turns = [{script: seconds(script) for script in SCRIPTS} for _ in range(options.rounds)]
    medians = {
        script: round(statistics.median(turn[script] for turn in turns) * 1e3, 1)
        for script in SCRIPTS
    }
    for script, value in medians.items():
        print(f"{script:38} {value:>9.1f} ms")
    print("written:", write_results("startup", {"median_ms": medians}).name)


if __name__ == "__main__":
    main()
