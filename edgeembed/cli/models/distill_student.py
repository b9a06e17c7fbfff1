"""`edgeembed distill student`: train a smaller encoder from a teacher."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeembed.cli.models.training import (
    HeldOut,
    LearningCurve,
    Seed,
    TrainedModel,
    WorkDir,
    show_variants,
    training_bar,
    training_facts,
)
from edgeembed.cli.shared.options import (
    AsJson,
    BundleName,
    BundleOutput,
    MeanCosine,
    MinCosine,
    Overwrite,
    PairsSpearman,
    RetrievalOverlap,
    TrustRemoteCode,
    Variants,
    budget_of,
)
from edgeembed.cli.shared.output import print_facts, print_json
from edgeembed.cli.shared.streams import show_note
from edgeembed.export.outputs import check_free
from edgeembed.ingest.texts import read_texts

if TYPE_CHECKING:
    from edgeembed import StudentReport
    from edgeembed_converters.distill.student.layers import Keep


def student(
    teacher: TrainedModel,
    texts: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="Training texts: one a line, or .jsonl with a field 'text'.",
        ),
    ],
    output: BundleOutput,
    layers: Annotated[
        str, typer.Option(help="How many of the teacher's layers to keep, or which: 0,2,5.")
    ] = "3",
    width: Annotated[
        int | None, typer.Option(help="Width of the hidden states; default: the teacher's.")
    ] = None,
    embedding_rank: Annotated[
        int | None, typer.Option(help="Rank of the token table; default: full.")
    ] = None,
    dim: Annotated[
        int | None, typer.Option(help="Components of a vector; default: the teacher's.")
    ] = None,
    train_tables: Annotated[
        bool, typer.Option("--train-tables", help="Train the token table too.")
    ] = False,
    held_out: HeldOut = 1000,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the texts.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="The peak learning rate.")] = 4e-4,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts per step.")] = 32,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    seed: Seed = 0,
    quantize: Variants = None,
    mean_cosine: MeanCosine = None,
    min_cosine: MinCosine = None,
    pairs_spearman: PairsSpearman = None,
    retrieval_overlap: RetrievalOverlap = None,
    learning_curve: LearningCurve = None,
    work_dir: WorkDir = None,
    name: BundleName = None,
    trust_remote_code: TrustRemoteCode = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Train a smaller encoder on unlabeled texts to give its teacher's vectors.

    A command that was stopped resumes where it was when it is run again.

    Example: edgeembed distill student ./all-MiniLM-L6-v2 texts.txt small.bundle --layers 3
    """
    import edgeembed

    check_free([learning_curve], overwrite=overwrite)
    with training_bar() as bar:
        report = edgeembed.distill_student(
            teacher,
            read_texts(texts),
            output,
            layers=_layers(layers),
            width=width,
            embedding_rank=embedding_rank,
            dim=dim,
            train_tables=train_tables,
            held_out=held_out,
            settings=edgeembed.TrainingSettings(
                epochs=epochs,
                learning_rate=learning_rate,
                batch_size=batch_size,
                device=device,
                precision=precision,  # pyright: ignore[reportArgumentType]  # it checks it
                seed=seed,
            ),
            quantize=quantize or "int8",  # pyright: ignore[reportArgumentType]
            budget=budget_of(mean_cosine, min_cosine, pairs_spearman, retrieval_overlap),
            learning_curve=learning_curve,
            work_dir=work_dir,
            name=name,
            trust_remote_code=trust_remote_code,
            overwrite=overwrite,
            on_step=bar.on_step,
            on_teacher=bar.on_teacher,
            on_progress=bar.on_progress,
        )
    if as_json:
        print_json(report.as_dict())
    else:
        show_report(report)


def _layers(text: str) -> "Keep":
    """A count, or numbers and names separated by commas."""
    parts = [part.strip() for part in text.split(",")]
    found = [int(part) if part.isdecimal() else part for part in parts]
    return found[0] if len(found) == 1 and isinstance(found[0], int) else found


def show_report(report: "StudentReport") -> None:
    """Print what a distillation did."""
    print_facts(
        [
            ("bundle", report.path),
            ("teacher", f"{report.teacher}, {report.teacher_parameters:,} parameters"),
            ("student", f"{', '.join(report.layers)}, {report.parameters:,} parameters"),
            *training_facts(report),
        ]
    )
    show_variants(report, "the student in PyTorch")
    for note in report.notes:
        show_note(note)
