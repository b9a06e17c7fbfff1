"""`edgeembed distill student`: a smaller encoder that gives its teacher's vectors."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeembed.cli.models.distill_training import training_bar, training_facts
from edgeembed.cli.shared.output import (
    AsJson,
    err,
    megabytes,
    print_facts,
    print_json,
    print_table,
)
from edgeembed.ingest.texts import format_of, read_texts

if TYPE_CHECKING:
    from edgeembed import StudentReport
    from edgeembed_converters.distill.student.layers import Keep


def student(
    teacher: Annotated[
        str, typer.Argument(help="Directory of a trained model, or its id on the Hugging Face Hub.")
    ],
    texts: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="Texts to learn from: one a line, or .jsonl with a field 'text'.",
        ),
    ],
    output: Annotated[Path, typer.Argument(help="The bundle directory to write.")],
    layers: Annotated[
        str, typer.Option(help="How many of the teacher's layers to keep, or which: 0,2,5.")
    ] = "3",
    width: Annotated[
        int | None, typer.Option(help="Of the token vectors inside; by default the teacher's.")
    ] = None,
    embedding_rank: Annotated[
        int | None, typer.Option(help="Of the token table; by default it is kept whole.")
    ] = None,
    dim: Annotated[
        int | None, typer.Option(help="Components of a vector; by default the teacher's.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="How often each text is seen.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="The highest one.")] = 4e-4,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    seed: Annotated[int, typer.Option(help="The same seed gives the same student.")] = 0,
    quantize: Annotated[
        list[str] | None, typer.Option(help="As for convert; by default int8.")
    ] = None,
    curve: Annotated[Path | None, typer.Option(help="Draw the training in this PNG file.")] = None,
    work_dir: Annotated[
        Path | None,
        typer.Option(help="For teacher vectors and checkpoints; by default OUTPUT.work."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the bundle.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle at OUTPUT.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a smaller encoder on unlabelled texts to give its teacher's vectors.

    A command that was stopped goes on where it was when it is given again.

    Example: edgeembed distill student ./all-MiniLM-L6-v2 texts.txt small.bundle --layers 3
    """
    import edgeembed

    with training_bar() as bar:
        report = edgeembed.distill_student(
            teacher,
            read_texts(texts, format_of(texts), "text"),
            output,
            layers=_layers(layers),
            width=width,
            embedding_rank=embedding_rank,
            dim=dim,
            settings=edgeembed.TrainingSettings(
                epochs=epochs,
                learning_rate=learning_rate,
                batch_size=batch_size,
                device=device,
                precision=precision,  # pyright: ignore[reportArgumentType]  # it checks it
                seed=seed,
            ),
            quantize=quantize or "int8",  # pyright: ignore[reportArgumentType]
            learning_curve=curve,
            work_dir=work_dir,
            name=name,
            overwrite=force,
            on_step=bar.on_step,
            on_teacher=bar.on_teacher,
            on_progress=bar.on_progress,
        )
    if as_json:
        print_json(report.as_dict())
    else:
        show_report(report)


def _layers(text: str) -> "Keep":
    """A count, or numbers and names with commas between."""
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
    print_table(
        ["variant", "#size", "#mean cosine", "#speed"],
        [
            (
                v.name,
                megabytes(report.sizes[v.name]),
                f"{v.fidelity.mean_cosine:.6f}",
                f"{v.speedup:g}x",
            )
            for v in report.variants
        ],
        title="Variants, compared with the student in PyTorch",
    )
    for note in report.notes:
        err.print(f"Note: {note}", highlight=False)
