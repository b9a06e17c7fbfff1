"""From a teacher and unlabeled texts to a table of token vectors: no transformer at run time."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edgeembed_converters._internal.steps import OnStep, ignore_step
from edgeembed_converters.distill.static.bundle import (
    StaticStudent,
    static_tokenizer,
    write_static_bundle,
)
from edgeembed_converters.distill.static.initial_table import frequency_weights, token_vectors
from edgeembed_converters.distill.static.objective import (
    BagBatch,
    BagBatches,
    BagTexts,
    StaticLosses,
    StaticTable,
)
from edgeembed_converters.distill.static.report import StaticReport
from edgeembed_converters.distill.static.vocabulary import (
    plain_tokenizer,
    pruned_tokenizer,
    token_counts,
)
from edgeembed_converters.distill.teaching.metrics import neighbor_ndcg
from edgeembed_converters.distill.teaching.projection import principal_directions
from edgeembed_converters.distill.teaching.teacher import Teacher, open_teacher, work_folder
from edgeembed_converters.distill.teaching.text_split import TextSplit, split_texts
from edgeembed_converters.export.table import ROWS, Rows
from edgeembed_converters.packaging.assemble import check_target
from edgeembed_converters.packaging.report import tower_reports
from edgeembed_converters.training.learning_curve import require_plots, write_learning_curve
from edgeembed_converters.training.loop import Objective, TrainingProgress, train
from edgeembed_converters.training.settings import TrainingSettings
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.encoder.progress import OnProgress
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.text.tokenizer import TextTokenizer
from edgeembed_runtime.storage import sha256_of
from edgeembed_runtime.vectors import normalize

# A table needs large batches and high rates: each text touches only a few rows.
STATIC_SETTINGS = TrainingSettings(
    learning_rate=2e-3, weight_decay=0.0, batch_size=1024, epochs=4, evaluate_every=100
)
_PRINCIPAL_TEXTS = 200_000
_TOKENIZED_AT_ONCE = 1_024


@public
def distill_static(
    teacher: str | Path,
    texts: Iterable[str],
    output: str | Path,
    *,
    dim: int = 256,
    vocabulary: int | None = None,
    max_tokens: int | None = None,
    losses: StaticLosses | None = None,
    settings: TrainingSettings = STATIC_SETTINGS,
    rows: Rows | Sequence[Rows] = "int8",
    held_out: int = 1000,
    work_dir: str | Path | None = None,
    learning_curve: str | Path | None = None,
    name: str | None = None,
    notes: Sequence[str] = (),
    overwrite: bool = False,
    on_step: OnStep | None = None,
    on_teacher: OnProgress | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> StaticReport:
    """Train a table of token vectors whose sums match a teacher's vectors; write it as a bundle.

    The table starts with the teacher's vector of every single token, reduced by PCA and weighted by
    inverse frequency. Vectors and weights then learn from unlabeled texts. The result has a few
    megabytes, and is hundreds of times as fast as a transformer. Work is saved in `work_dir`: after
    a kill, calling again with the same arguments resumes.

    Args:
        teacher: a bundle, or anything that `convert` takes.
        texts: like those that will be encoded; a hundred thousand is a good number.
        output: the bundle directory to write. It appears whole, at the end, or not at all.
        dim: of the vectors, by PCA of the teacher's; at most the teacher's.
        vocabulary: how many tokens to keep, the most frequent in the texts; all by default.
        max_tokens: tokens of a text that count; by default the teacher's limit.
        losses: the weight of each loss.
        settings: of the optimizer, the device and early stopping.
        rows: how rows are stored: "int8", "fp16" or "fp32", or several of these.
        held_out: how many texts, at most a tenth, to hold out for evaluation.
        work_dir: for teacher vectors and checkpoints; by default `output` plus ".work".
        learning_curve: a PNG file to plot the training to (needs the extra 'distill').
        name: of the bundle; by default the output's.
        notes: your own lines for the model card, such as what the texts are.
        overwrite: replace a bundle at `output`; anything else is never replaced.
        on_step: called with a few words as each step begins.
        on_teacher: called with the number of teacher vectors that are done, and their total.
        on_progress: called after every training step.

    Raises:
        InputError: too few texts, a dim above the teacher's, an unknown option.
        TrainingError: the loss is not finite, or every checkpoint is damaged.
        UnsupportedModelError: the kind of tokenizer cannot be pruned.
        BundleError, ConversionError: the teacher is damaged, or cannot be converted.
        StorageError: the disk is full, or `output` is taken.
    """
    started = time.perf_counter()
    on_step, losses = on_step or ignore_step, losses or StaticLosses()
    target = Path(output)
    folder = work_folder(target, work_dir)
    kinds = _checked_rows(rows)
    check_target(target, overwrite)
    if learning_curve is not None:
        require_plots()
    split = split_texts(texts, held_out, settings.seed)
    on_step("Loading the teacher")
    with open_teacher(teacher, folder, on_step=on_step) as opened:
        _check_dim(dim, opened.manifest.dim, len(split.train))
        on_step("Running the teacher")
        vectors = [opened.vectors(part, on_teacher) for part in (split.train, split.held_out)]
        on_step("Making the initial table")
        length = max_tokens or opened.manifest.text_tower().max_tokens
        start = _start(opened, split, vectors, dim, vocabulary, length)
        card = {
            file: opened.encoder.path / file
            for file in ("LICENSE", "NOTICE")
            if file in opened.manifest.files
        }
        manifest, variant = opened.manifest, opened.encoder.variant
    on_step("Training")
    identity = sha256_of(
        repr((split, manifest.space, variant, dim, vocabulary, length, losses, settings)).encode()
    )
    table = start.table.to(settings.device)
    objective: Objective[BagBatch] = Objective(
        batches=lambda epoch: BagBatches(
            start.train, settings.batch_size, settings.seed, epoch, settings.device
        ),
        loss=lambda batch: table.loss(batch, losses),
        metric=lambda: neighbor_ndcg(
            table.encode(start.held_out, settings.device), start.held_out.targets
        ),
        identity=identity,
    )
    trained = train(table, objective, settings, folder / f"static-{identity[:16]}", on_progress)
    if learning_curve is not None:
        write_learning_curve(Path(learning_curve), trained.points, name or target.stem)
    found = table.encode(start.held_out, settings.device)
    student = StaticStudent(
        name=name or target.stem,
        table=table.rows(),
        tokenizer_json=start.tokenizer_json,
        max_tokens=length,
        teacher=manifest,
        card_files=card,
        notes=(
            f"A table distilled from {manifest.name}; fidelity is relative to the same table "
            "in 32 bits",
            f"{len(start.kept)} of the teacher's {start.teacher_tokens} tokens; {dim} components "
            f"by PCA keep {start.share:.1%} of the teacher's variance",
            *notes,
        ),
    )
    written = write_static_bundle(target, student, kinds, overwrite=overwrite, on_step=on_step)
    (tower,) = tower_reports(written.manifest, {})
    return StaticReport(
        path=target,
        name=written.manifest.name,
        teacher=manifest.name,
        space=written.manifest.space,
        dim=dim,
        tokens=len(start.kept),
        teacher_tokens=start.teacher_tokens,
        texts=len(split.train),
        held_out=len(split.held_out),
        cosine=float((found * start.held_out.targets).sum(axis=1).mean()),
        trained=trained,
        variants=tower.variants,
        sizes=tower.sizes,
        seconds=round(time.perf_counter() - started, 1),
        notes=(*student.notes, *written.notes),
    )


@dataclass(frozen=True, kw_only=True)
class _Start:
    """The initial table, its tokenizer, and the tokenized texts.

    `kept` holds the teacher's id of each token, `share` the share of variance that the PCA keeps.
    """

    table: StaticTable
    tokenizer_json: bytes
    kept: NDArray[np.int64]
    teacher_tokens: int
    share: float
    train: BagTexts
    held_out: BagTexts


def _start(
    teacher: Teacher,
    split: TextSplit,
    vectors: Sequence[NDArray[np.float32]],
    dim: int,
    vocabulary: int | None,
    max_tokens: int,
) -> _Start:
    plain = plain_tokenizer(teacher.tokenizer_json())
    whole = static_tokenizer(plain, max_tokens, teacher.manifest.name)
    size = whole.tokenizer.get_vocab_size()
    counts = token_counts(_ids(whole, split.train), size)
    tokenizer_json, kept = pruned_tokenizer(plain, counts, vocabulary)
    tokenizer = static_tokenizer(tokenizer_json, max_tokens, teacher.manifest.name)
    ids = _ids(tokenizer, split.train)
    counts = token_counts(ids, len(kept))
    directions, share = principal_directions(torch.from_numpy(vectors[0][:_PRINCIPAL_TEXTS]), dim)
    matrix = directions.numpy()
    table = StaticTable(token_vectors(teacher, kept) @ matrix, frequency_weights(counts))
    return _Start(
        table=table,
        tokenizer_json=tokenizer_json,
        kept=kept,
        teacher_tokens=size,
        share=share,
        train=BagTexts(ids=ids, targets=normalize(vectors[0] @ matrix)),
        held_out=BagTexts(
            ids=_ids(tokenizer, split.held_out), targets=normalize(vectors[1] @ matrix)
        ),
    )


def _ids(tokenizer: TextTokenizer, texts: Sequence[str]) -> list[NDArray[np.int32]]:
    found: list[NDArray[np.int32]] = []
    for start in range(0, len(texts), _TOKENIZED_AT_ONCE):
        some = texts[start : start + _TOKENIZED_AT_ONCE]
        for text, ids in zip(some, tokenizer.plain_ids(some), strict=True):
            found.append(np.array(tokenizer.encode(text).ids if ids is None else ids, np.int32))
    return found


def _checked_rows(rows: Rows | Sequence[Rows]) -> tuple[Rows, ...]:
    kinds = (rows,) if isinstance(rows, str) else tuple(dict.fromkeys(rows))
    wrong = [kind for kind in kinds if kind not in ROWS]
    if wrong or not kinds:
        raise InputError(f"rows: expected one or more of {', '.join(ROWS)}, got {rows!r}")
    return kinds


def _check_dim(dim: int, teacher_dim: int, texts: int) -> None:
    if type(dim) is not int or not 1 <= dim <= teacher_dim:
        raise InputError(f"dim: expected 1 to {teacher_dim}, the teacher's, got {dim!r}")
    if texts < dim:
        raise InputError(f"dim: expected at most the number of texts, {texts}, got {dim}")
