"""`edgeembed distill static`: train a table of token vectors from a teacher."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeembed.cli.models.training import (
    HeldOut,
    LearningCurve,
    Seed,
    WorkDir,
    training_bar,
    training_facts,
)
from edgeembed.cli.shared.options import (
    AsJson,
    BundleName,
    BundleOutput,
    Overwrite,
)
from edgeembed.cli.shared.output import megabytes, print_facts, print_json, print_table
from edgeembed.cli.shared.streams import show_note
from edgeembed.export.outputs import check_free
from edgeembed.ingest.texts import read_texts

if TYPE_CHECKING:
    from edgeembed import StaticReport


def static(
    teacher: Annotated[
        str,
        typer.Argument(help="A bundle, the directory of a trained model, or its id on the Hub."),
    ],
    texts: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="Training texts: one a line, or .jsonl with a field 'text'.",
        ),
    ],
    output: BundleOutput,
    dim: Annotated[int, typer.Option(min=1, help="Components of a vector.")] = 256,
    vocabulary: Annotated[
        int | None, typer.Option(help="Tokens to keep; default: all of the teacher's.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Truncate texts here; default: the teacher's limit.")
    ] = None,
    rows: Annotated[
        list[str] | None, typer.Option(help="Variant to write: int8, fp16 or fp32. Repeatable.")
    ] = None,
    held_out: HeldOut = 1000,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the texts.")] = 4,
    seed: Seed = 0,
    learning_curve: LearningCurve = None,
    work_dir: WorkDir = None,
    name: BundleName = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Train a table of token vectors on unlabeled texts: small, and no transformer at run time.

    A command that was stopped resumes where it was when it is run again.

    Example: edgeembed distill static minilm.bundle texts.txt tiny.bundle --vocabulary 20000
    """
    import edgeembed
    from edgeembed_converters.distill.static.distill_static import STATIC_SETTINGS

    settings = replace(STATIC_SETTINGS, seed=seed, epochs=epochs)
    check_free([learning_curve], overwrite=overwrite)
    with training_bar() as bar:
        report = edgeembed.distill_static(
            teacher,
            read_texts(texts),
            output,
            dim=dim,
            vocabulary=vocabulary,
            max_tokens=max_tokens,
            held_out=held_out,
            settings=settings,
            rows=rows or "int8",  # pyright: ignore[reportArgumentType]  # it is checked there
            learning_curve=learning_curve,
            work_dir=work_dir,
            name=name,
            overwrite=overwrite,
            on_step=bar.on_step,
            on_teacher=bar.on_teacher,
            on_progress=bar.on_progress,
        )
    if as_json:
        print_json(report.as_dict())
    else:
        show_report(report)


def show_report(report: "StaticReport") -> None:
    """Print what a distillation did."""
    print_facts(
        [
            ("bundle", report.path),
            ("teacher", report.teacher),
            ("table", f"{report.tokens:,} tokens of {report.dim} components"),
            *training_facts(report),
        ]
    )
    print_table(
        ["variant", "#size", "#mean cosine", "made by"],
        [
            (v.name, megabytes(report.sizes[v.name]), f"{v.fidelity.mean_cosine:.6f}", v.recipe)
            for v in report.variants
        ],
        title="Variants, compared with the same table in 32 bits",
    )
    for note in report.notes:
        show_note(note)
