"""A fresh process of the benchmark: `python -m edgeembed.bench.worker BUNDLE KIND VARIANT SECONDS`.

KIND is text or image. Prints "ready" when the first vector is there, then the figures as JSON; with
0 seconds, only "ready".
"""

import json
import sys
from dataclasses import asdict
from typing import cast

import numpy as np

from edgeembed import Encoder
from edgeembed.bench.inputs import HEIGHT, WIDTH
from edgeembed_runtime.bundle import Modality

READY = "ready"


def main() -> None:
    """Do what the arguments say."""
    path, kind, variant, seconds = sys.argv[1:]
    encoder = Encoder.load(path, variant=variant, modalities=(cast("Modality", kind),))
    if kind == "text":
        encoder.encode("a first text")
    else:
        encoder.encode_image(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    print(READY, flush=True)  # noqa: T201
    if float(seconds) > 0:
        from edgeembed.bench.measure import measure_images, measure_texts

        measure = measure_texts if kind == "text" else measure_images
        print(json.dumps(asdict(measure(encoder, float(seconds)))))  # noqa: T201


if __name__ == "__main__":
    main()
