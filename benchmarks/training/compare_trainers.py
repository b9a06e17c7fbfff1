"""`edgeembed.train` beside sentence-transformers' SentenceTransformerTrainer: the same quality?

    python benchmarks/training/compare_trainers.py [--pairs 640] [--seeds 2]

all-MiniLM-L6-v2 learns to find functions of Python's standard library by what their docstrings say
first; functions of other modules are held out. Both trainers get the same pairs, seeds, steps,
rates and loss (in-batch negatives), and take turns. MRR@10 of the held-out questions, by
sentence-transformers' own `encode` of both; then that of our int8 bundle.

Their trainer needs `pip install accelerate datasets` beside the extra `test`. Ten minutes on a
core.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.common.minilm_weights import find_minilm
from benchmarks.common.results_file import write_results
from benchmarks.training.function_pairs import FunctionPairs, function_pairs
from edgeembed import Encoder, TrainingExample, TrainingSettings, train

_BATCH, _TOKENS, _RATE, _WARMUP, _DECAY = 16, 64, 5e-5, 0.1, 0.01
_DEPTH = 10


def mrr(queries: np.ndarray, documents: np.ndarray) -> float:
    """MRR@10 of unit vectors, where document i answers query i."""
    scores = queries @ documents.T
    ranks = 1 + (scores > np.diag(scores)[:, None]).sum(axis=1)
    return float(np.where(ranks <= _DEPTH, 1 / ranks, 0).mean())


def mrr_of_directory(path: Path, held_out: list[TrainingExample]) -> float:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(path), device="cpu", local_files_only=True)
    model.max_seq_length = _TOKENS
    queries, documents = (
        model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        for texts in ([e.anchor for e in held_out], [e.positive for e in held_out])
    )
    return mrr(queries, documents)


def mrr_of_bundle(path: Path, held_out: list[TrainingExample]) -> float:
    with Encoder.load(path, variant="int8") as encoder:
        return mrr(
            encoder.encode([e.anchor for e in held_out]),
            encoder.encode([e.positive for e in held_out]),
        )


def ours(pairs: FunctionPairs, seed: int, folder: Path, *, int8: bool) -> tuple[Path, Path, float]:
    """(model directory, bundle, seconds of training)."""
    times: list[float] = []
    steps = -(-len(pairs.train) // _BATCH)
    report = train(
        find_minilm(),
        pairs.train,
        folder / f"ours-{seed}.bundle",
        settings=TrainingSettings(
            learning_rate=_RATE,
            warmup=_WARMUP,
            weight_decay=_DECAY,
            batch_size=_BATCH,
            evaluate_every=steps,
            seed=seed,
        ),
        max_tokens=_TOKENS,
        evaluate_on=pairs.held_out[:50],
        quantize="int8" if int8 else None,
        on_step=lambda step: times.append(time.perf_counter()) if step == "Training" else None,
        on_progress=lambda now: times.append(time.perf_counter()),
    )
    # The first and the last step include an evaluation of the start and of the end.
    return report.model_path, report.path, (times[-2] - times[1]) / (steps - 2) * steps


def theirs(pairs: FunctionPairs, seed: int, folder: Path) -> tuple[Path, float]:
    """(model directory, seconds of training) of sentence-transformers' trainer."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    model = SentenceTransformer(str(find_minilm()), device="cpu", local_files_only=True)
    model.max_seq_length = _TOKENS
    columns = {
        "anchor": [pair.anchor for pair in pairs.train],
        "positive": [pair.positive for pair in pairs.train],
    }
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder / f"theirs-{seed}.work"),
        num_train_epochs=1,
        per_device_train_batch_size=_BATCH,
        learning_rate=_RATE,
        warmup_steps=round(_WARMUP * -(-len(pairs.train) // _BATCH)),
        weight_decay=_DECAY,
        max_grad_norm=1.0,
        seed=seed,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(columns),
        loss=MultipleNegativesRankingLoss(model),
    )
    began = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - began
    path = folder / f"theirs-{seed}"
    model.save_pretrained(str(path), create_model_card=False)
    return path, seconds


def main() -> None:
    """Train, measure, print and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=640)
    parser.add_argument("--held-out", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = function_pairs()
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(found.train))[: options.pairs].tolist()
    measured_on = rng.permutation(len(found.held_out))[: options.held_out].tolist()
    pairs = FunctionPairs(
        train=[found.train[n] for n in chosen],
        held_out=[found.held_out[n] for n in measured_on],
    )
    start = mrr_of_directory(find_minilm(), pairs.held_out)
    figures: dict[str, object] = {
        "pairs": len(pairs.train),
        "held_out": len(pairs.held_out),
        "batch_size": _BATCH,
        "max_tokens": _TOKENS,
        "start": {"mrr@10": round(start, 4)},
    }
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(options.seeds):
            model, bundle, our_seconds = ours(pairs, seed, Path(scratch), int8=seed == 0)
            row = {"ours": mrr_of_directory(model, pairs.held_out), "our_seconds": our_seconds}
            if seed == 0:
                row["our_int8"] = mrr_of_bundle(bundle, pairs.held_out)
            other, row["their_seconds"] = theirs(pairs, seed, Path(scratch))
            row["theirs"] = mrr_of_directory(other, pairs.held_out)
            rows.append({name: round(value, 4) for name, value in row.items()})
            print(f"seed {seed}", rows[-1], flush=True)
    figures["seeds"] = rows
    figures["mean"] = {
        name: round(float(np.mean([row[name] for row in rows])), 4)
        for name in ("ours", "theirs", "our_seconds", "their_seconds")
    }
    for name, value in figures.items():
        print(f"{name:12} {value}")
    print(write_results("training", figures))


if __name__ == "__main__":
    main()
