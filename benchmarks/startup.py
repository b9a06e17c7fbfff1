"""Start-up in fresh processes, in turns: imports, and process start to first vector."""

import argparse
import statistics
import subprocess
import sys
import time

from model_and_texts import bundle, model_directory
from results_file import write_results


def scripts() -> dict[str, str]:
    return {
        "import edgeembed": "import edgeembed",
        "import Encoder and Index": "from edgeembed import Encoder, Index",
        "import sentence_transformers": "import sentence_transformers",
        "first vector, int8": (
            "from edgeembed import Encoder; "
            f"Encoder.load({str(bundle())!r}, variant='int8').encode('a first text')"
        ),
        "first vector, sentence-transformers": (
            "from sentence_transformers import SentenceTransformer; "
            f"SentenceTransformer({str(model_directory())!r}).encode('a first text')"
        ),
    }


def inside(script: str) -> float:
    """Seconds that the script itself takes, the interpreter's own start left out."""
    timed = f"import time; t = time.perf_counter(); {script}; print(time.perf_counter() - t)"
    return float(
        subprocess.check_output(
            [sys.executable, "-W", "ignore", "-c", timed], text=True, stderr=subprocess.DEVNULL
        )
    )


def whole(script: str) -> float:
    """Seconds from the start of the process to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    todo = scripts()
    figures = {name: [] for name in todo}
    for round_number in range(options.rounds + 1):
        for name, script in todo.items():
            seconds = (inside if name.startswith("import") else whole)(script)
            if round_number:  # the first round warms the disk cache
                figures[name].append(seconds)
    medians = {name: round(statistics.median(values) * 1e3, 1) for name, values in figures.items()}
    for name, value in medians.items():
        print(f"{name:38} {value:>9.1f} ms")
    print("written:", write_results("startup", {"median_ms": medians}).name)


if __name__ == "__main__":
    main()
