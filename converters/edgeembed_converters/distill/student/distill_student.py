"""From a teacher and unlabeled texts to a student bundle."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from torch import nn

from edgeembed_converters._internal.steps import OnStep, ignore_step
from edgeembed_converters.distill.student.initial_student import (
    Student,
    StudentShape,
    check_shape,
    finished,
    make_student,
)
from edgeembed_converters.distill.student.layers import Keep
from edgeembed_converters.distill.student.objective import LossWeights
from edgeembed_converters.distill.student.report import StudentReport
from edgeembed_converters.distill.student.text_training import train_text_student
from edgeembed_converters.distill.student.training_data import TrainingData, prepare
from edgeembed_converters.distill.teaching.teacher import work_folder
from edgeembed_converters.distill.teaching.text_split import split_texts
from edgeembed_converters.packaging.assemble import check_target, parts_of, write_proven
from edgeembed_converters.packaging.report import tower_reports
from edgeembed_converters.pipeline.build import build_model
from edgeembed_converters.pipeline.options import BuildOptions
from edgeembed_converters.quantization.registry import Quantization, checked_quantizations
from edgeembed_converters.quantization.trial.budget import Budget
from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.registry import opened_source
from edgeembed_converters.training.learning_curve import require_plots, write_learning_curve
from edgeembed_converters.training.loop import TrainingProgress
from edgeembed_converters.training.settings import TrainingSettings
from edgeembed_runtime._internal.public import public
from edgeembed_runtime.bundle import MANIFEST_NAME
from edgeembed_runtime.encoder.progress import OnProgress
from edgeembed_runtime.errors import InputError


@public
def distill_student(
    teacher: str | Path,
    texts: Iterable[str],
    output: str | Path,
    *,
    layers: Keep | None = 3,
    width: int | None = None,
    embedding_rank: int | None = None,
    dim: int | None = None,
    losses: LossWeights | None = None,
    settings: TrainingSettings | None = None,
    train_tables: bool = False,
    held_out: int = 1000,
    quantize: Quantization | str | Sequence[Quantization | str] | None = "int8",
    budget: Budget | None = None,
    work_dir: str | Path | None = None,
    learning_curve: str | Path | None = None,
    name: str | None = None,
    trust_remote_code: bool = False,
    overwrite: bool = False,
    on_step: OnStep | None = None,
    on_teacher: OnProgress | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> StudentReport:
    """Train a smaller encoder to reproduce its teacher's vectors, and write it as a bundle.

    The student starts with the teacher's own layers and learns from unlabeled texts alone. Work is
    saved in `work_dir`: after a kill, calling again with the same arguments resumes, with the same
    result.

    Args:
        teacher: a sentence-transformers or transformers directory, or a Hub id.
        texts: like those that will be encoded; thousands at least.
        output: the bundle directory to write. It appears whole, at the end, or not at all.
        layers: how many of the teacher's layers to keep, evenly spaced, or which, by number or
            name.
        width: of the hidden states, by PCA; for the BERT family. The output still has the
            teacher's dim.
        embedding_rank: of the token embeddings, which are factorized into two smaller tables.
        dim: of the output, by PCA of the teacher's vectors.
        losses: the weight of each loss; by default mostly the cosine to the teacher.
        settings: of the optimizer, the device and early stopping.
        train_tables: also train the token and position embeddings, which is expensive.
        held_out: how many texts, at most a tenth, to hold out for evaluation.
        quantize: as for `convert`.
        budget: as for `convert`.
        work_dir: for teacher vectors and checkpoints; by default `output` plus ".work".
        learning_curve: a PNG file to plot the training to (needs the extra 'distill').
        name: of the bundle; by default the output's.
        trust_remote_code: run Python code that comes with the teacher.
        overwrite: replace a bundle at `output`; anything else is never replaced.
        on_step: called with a few words as each step begins.
        on_teacher: called with the number of teacher vectors that are done, and their total.
        on_progress: called after every training step.

    Raises:
        InputError: too few texts, a student not smaller than its teacher, an unknown option.
        TrainingError: the loss is not finite, or every checkpoint is damaged.
        UnsupportedModelError: the teacher's architecture is not supported.
        ConversionError: its files are damaged, or the student could not be exported.
        StorageError: the disk is full, or `output` is taken.
    """
    start = time.perf_counter()
    on_step = on_step or ignore_step
    target = Path(output)
    folder = work_folder(target, work_dir)
    quantizations = checked_quantizations(quantize)
    check_target(target, overwrite)
    if learning_curve is not None:
        require_plots()
    settings, losses = settings or TrainingSettings(), losses or LossWeights()
    split = split_texts(texts, held_out, settings.seed)
    on_step("Loading the teacher")
    source = _load_teacher(teacher, trust_remote_code)
    shape = StudentShape(layers=layers, width=width, embedding_rank=embedding_rank, dim=dim)
    check_shape(source, shape)
    data = prepare(teacher, source, split, folder, on_step, on_teacher)
    on_step("Cutting the student")
    student = make_student(source, shape, data.sample(), name or target.stem)
    counts = _checked_size(student.source, source)
    _check_dims(losses, student, data)
    on_step("Training")
    outcome = train_text_student(
        student,
        source,
        data.train.projected(student.projection, source.normalized),
        data.held_out.projected(student.projection, source.normalized),
        losses=losses,
        settings=settings,
        train_tables=train_tables,
        folder=folder,
        identity=repr((split, data.space, shape)),
        on_progress=on_progress,
    )
    if learning_curve is not None:
        write_learning_curve(Path(learning_curve), outcome.trained.points, student.source.name)
    options = BuildOptions(quantize=quantizations, budget=budget, on_step=on_step)
    built = build_model(finished(student, source), options)
    manifest = write_proven(target, parts_of(built), overwrite=overwrite, on_step=on_step)
    (tower,) = tower_reports(manifest, {})
    return StudentReport(
        path=target,
        name=manifest.name,
        teacher=source.name,
        space=manifest.space,
        dim=manifest.dim,
        layers=student.kept,
        parameters=counts[0],
        teacher_parameters=counts[1],
        texts=len(split.train),
        held_out=len(split.held_out),
        cosine=outcome.cosine,
        trained=outcome.trained,
        variants=tower.variants,
        sizes=tower.sizes,
        seconds=round(time.perf_counter() - start, 1),
        notes=built.notes,
    )


def _load_teacher(teacher: str | Path, trust_remote_code: bool) -> TextSource:
    if (Path(teacher) / MANIFEST_NAME).is_file():
        raise InputError(
            f"teacher {teacher}: expected a PyTorch model, got a bundle, whose layers cannot be "
            "trained; pass the model directory that it was converted from"
        )
    with opened_source(teacher, SourceOptions(trust_remote_code=trust_remote_code)) as found:
        if not isinstance(found, TextSource):
            raise InputError(
                f"teacher {teacher}: expected a text encoder, got one that takes images; train "
                "a student of images with distill_features"
            )
        return found


def _checked_size(student: TextSource, teacher: TextSource) -> tuple[int, int]:
    counts = [
        sum(p.numel() for p in nn.ModuleList([each.backbone, each.head]).parameters())
        for each in (student, teacher)
    ]
    if counts[0] >= counts[1]:
        raise InputError(
            f"student: expected fewer parameters than the teacher's {counts[1]:,}, got "
            f"{counts[0]:,}; keep fewer layers, or take a lower width or embedding_rank"
        )
    return counts[0], counts[1]


def _check_dims(losses: LossWeights, student: Student, data: TrainingData) -> None:
    found = data.train.targets if student.projection is None else student.projection
    dim = int(found.shape[1])
    wrong = [each for each in losses.matryoshka_dims if not 1 <= each < dim]
    if wrong:
        raise InputError(
            f"losses: expected matryoshka_dims from 1 to {dim - 1}, below the student's dim, "
            f"got {wrong}"
        )
