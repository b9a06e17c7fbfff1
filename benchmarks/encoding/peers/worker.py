"""A process of one side: `python worker.py SIDE MODEL FOLDER TEXTS`, tasks on stdin.

Answers one line of JSON to each task: prepare, versions, load, short, passages, single, memory,
save PATH. Everything else that libraries print goes to stderr.
"""

import json
import os
import sys
import time
from pathlib import Path

ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="true")


WARM_UP = 8


def seconds(encode, inputs) -> float:
    began = time.perf_counter()
    encode(inputs)
    return time.perf_counter() - began


def warm_up(encode, inputs) -> None:
    """Encode a few texts: the system may have taken pages of a process that waited its turn."""
    for each in inputs[:WARM_UP]:
        encode(each if isinstance(each, str) else each[:: max(1, len(each) // WARM_UP)])


def resident_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    kibibytes = int(next(line for line in lines if line.startswith("VmRSS")).split()[1])
    return kibibytes * 1024 / 1e6


def main() -> None:
    name, model, folder, texts_file = sys.argv[1:]
    from benchmarks.encoding.peers.sides import SIDES, Job, versions

    side, encode = SIDES[name], None
    texts = json.loads(Path(texts_file).read_text())
    job = Job(Path(model), Path(folder), texts["calibration"])
    for line in sys.stdin:
        task, _, argument = line.strip().partition(" ")
        answer: object = True
        if task == "prepare":
            job.folder.mkdir(parents=True, exist_ok=True)
            if side.prepare:
                side.prepare(job)
        elif task == "versions":
            answer = versions()
        elif task == "load":
            encode = side.load(job)
            encode("a first text")
        elif task == "memory":
            answer = resident_mb()
        elif encode is None:
            raise SystemExit(f"{task}: expected 'load' before it")
        elif task == "single":
            warm_up(encode, texts[task])
            answer = sorted(seconds(encode, text) for text in texts["single"])
        elif task == "save":
            import numpy as np

            every = [text for kind in ("short", "passages", "single") for text in texts[kind]]
            np.save(argument, np.asarray(encode(every)))
        else:
            warm_up(encode, [texts[task]])
            answer = seconds(encode, texts[task]) / len(texts[task])
        print(json.dumps(answer), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
