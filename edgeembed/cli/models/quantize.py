"""`edgeembed quantize`: smaller variants of a bundle, each through its gate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeembed.cli.shared.output import (
    AsJson,
    err,
    megabytes,
    print_json,
    print_table,
    step_progress,
)
from edgeembed.ingest.texts import format_of, read_texts
from edgeembed.visualize.quantization_plot import quantization_page
from edgeembed_runtime.storage import staged_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeembed import QuantizationReport
    from edgeembed_converters.packaging.report import TrialReport


def quantize(
    bundle: Annotated[Path, typer.Argument(help="A bundle with an fp32 variant.")],
    output: Annotated[Path, typer.Argument(help="The bundle directory to write.")],
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="int8, int8-faithful, int8-portable or fp16; may be given more than once. "
            "By default int8."
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Texts like those to be encoded: one a line, or .jsonl with a field 'text'.",
        ),
    ] = None,
    calibration_images: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="A folder of images like those to be encoded."
        ),
    ] = None,
    mean_cosine: Annotated[
        float | None, typer.Option(help="The least mean cosine to the original that int8 may have.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a plot of all recipes to this HTML file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle at OUTPUT.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make smaller variants of a bundle: try recipes, measure them, keep what meets the budget.

    Example: edgeembed quantize minilm.bundle smaller.bundle --target int8-faithful --html plot.html
    """
    import edgeembed

    texts = None
    if calibration is not None:
        texts = list(read_texts(calibration, format_of(calibration), "text"))
    budget = edgeembed.Budget()
    if mean_cosine is not None:
        budget = edgeembed.Budget(mean_cosine=mean_cosine)
    with step_progress() as progress:
        task = progress.add_task("Starting")
        report = edgeembed.quantize(
            bundle,
            output,
            target=target or "int8",  # pyright: ignore[reportArgumentType]  # quantize checks it
            budget=budget,
            calibration=texts,
            calibration_images=calibration_images,
            overwrite=force,
            on_step=lambda step: progress.update(task, description=step),
        )
    if html is not None:
        with staged_file(html) as file:
            file.write(quantization_page(report).encode())
    if as_json:
        print_json(report.as_dict())
    else:
        _show(report)


def _show(report: "QuantizationReport") -> None:
    _show_trials(report.trials, f"{report.variants[0].fidelity.texts} inputs")
    if report.image is not None:
        count = report.image.variants[0].fidelity.texts
        _show_trials(report.image.trials, f"{count} images")
    for name, why in report.refused.items():
        err.print(f"Refused: {name}: {why}", highlight=False)


def _show_trials(trials: "Sequence[TrialReport]", inputs: str) -> None:
    print_table(
        ["recipe", "#size", "#mean cosine", "#min cosine", "#overlap@10", "#speed", "became"],
        [
            (
                _what(trial),
                megabytes(trial.bytes),
                f"{trial.fidelity.mean_cosine:.5f}",
                f"{trial.fidelity.min_cosine:.5f}",
                f"{trial.fidelity.retrieval_overlap:.3f}",
                f"{trial.speedup:g}x",
                trial.chosen or ("" if trial.best else "(another is faster and closer)"),
            )
            for trial in trials
        ],
        title=f"Compared with the original on {inputs}",
    )


def _what(trial: "TrialReport") -> str:
    left = ", ".join(trial.left_in_fp32)
    return f"{trial.recipe} ({left} in fp32)" if left else trial.recipe
