"""A fresh process of the benchmark: `python -m edgeembed.bench.worker BUNDLE VARIANT SECONDS`.

Prints a line when the first vector is there, and then the figures as JSON; with 0 seconds only
the line.
"""

import json
import sys
from dataclasses import asdict

from edgeembed import Encoder

READY = "ready"


def main() -> None:
    """Do what the arguments say."""
    path, variant, seconds = sys.argv[1:]
    encoder = Encoder.load(path, variant=variant)
    encoder.encode("a first text")
    print(READY, flush=True)  # noqa: T201
    if float(seconds) > 0:
        from edgeembed.bench.measure import measure

        print(json.dumps(asdict(measure(encoder, float(seconds)))))  # noqa: T201


if __name__ == "__main__":
    main()
