"""Resident memory over 100,000 texts of 5 to 256 tokens: where it settles, and whether it grows.

Also what an idle encoder costs. A process of its own, which holds nothing but the encoder.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edgeembed import Encoder
from edgeembed_runtime.engine.memory import resident_bytes

_DIFFERENT = 5_000
_IDLE_S = 10


def write_texts(path: Path) -> None:
    """Real words, 5 to 256 tokens of them, evenly spread."""
    from benchmarks.common.model_and_texts import bundle
    from edgeembed.demo.stdlib_docs import stdlib_functions

    words = " ".join(doc.text for doc in stdlib_functions()).split()
    rng = random.Random(0)
    with Encoder.load(bundle()) as encoder:
        per_word = encoder.count_tokens(" ".join(words[:2000])) / 2000
    texts = []
    for _ in range(_DIFFERENT):
        start = rng.randrange(len(words) - 300)
        count = max(1, int(rng.randint(5, 256) / per_word))
        texts.append(" ".join(words[start : start + count]))
    path.write_text(json.dumps(texts))


def worker(bundle: str, texts_file: str, variant: str, count: int) -> None:
    texts = json.loads(Path(texts_file).read_text())
    stream = (texts[number % len(texts)] for number in range(count))
    curve = []
    with Encoder.load(bundle, variant=variant) as encoder:
        encoder.encode("a first text")
        loaded_mb = resident_bytes() / 1e6
        for done, _ in enumerate(encoder.encode_iter(stream), 1):
            if done % (count // 20) == 0:
                curve.append(round(resident_bytes() / 1e6, 1))
                print(f"{done:>8} texts: {curve[-1]:.1f} MB", file=sys.stderr, flush=True)
        busy = time.process_time()
        time.sleep(_IDLE_S)
        idle = (time.process_time() - busy) / _IDLE_S
    figures = {
        "variant": variant,
        "texts": count,
        "loaded_mb": loaded_mb,
        "curve_mb": curve,
        "growth_last_half": max(curve[10:]) / curve[9] - 1,
        "closed_mb": resident_bytes() / 1e6,
        "idle_share_of_a_core": idle,
    }
    print(json.dumps(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--variant", default="int8")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        bundle_path, texts_file = options.worker
        worker(bundle_path, texts_file, options.variant, options.texts)
        return
    from benchmarks.common.model_and_texts import bundle
    from benchmarks.common.results_file import write_results

    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder) / "texts.json"
        write_texts(texts)
        settings = ["--texts", str(options.texts), "--variant", options.variant]
        command = [sys.executable, __file__, *settings, "--worker", str(bundle()), str(texts)]
        figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    print(f"loaded {figures['loaded_mb']:.0f} MB, most {max(figures['curve_mb']):.0f} MB, ", end="")
    print(f"growth in the last half {figures['growth_last_half']:.2%}, ", end="")
    print(f"after close() {figures['closed_mb']:.0f} MB")
    print(f"idle: {figures['idle_share_of_a_core']:.3%} of a core")
    print("written:", write_results("memory", figures).name)


if __name__ == "__main__":
    main()
