"""`edgeembed quantize`: make smaller variants of a bundle, each held to a budget."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeembed.cli.shared.options import (
    AsJson,
    BundleOutput,
    CalibrationImages,
    MeanCosine,
    MinCosine,
    Overwrite,
    PairsSpearman,
    RetrievalOverlap,
    Variants,
    budget_of,
    path_or_name,
)
from edgeembed.cli.shared.output import megabytes, print_json, print_table, remark, step_progress
from edgeembed.export.outputs import check_free, write_html
from edgeembed.ingest.texts import read_texts
from edgeembed.visualize.quantization_plot import quantization_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeembed import QuantizationReport
    from edgeembed_converters.packaging.report import TrialReport


def quantize(
    bundle: Annotated[
        Path, typer.Argument(parser=path_or_name, help="A bundle with an fp32 variant.")
    ],
    output: BundleOutput,
    quantize: Variants = None,
    mean_cosine: MeanCosine = None,
    min_cosine: MinCosine = None,
    pairs_spearman: PairsSpearman = None,
    retrieval_overlap: RetrievalOverlap = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Calibrate on texts like yours: one a line, or .jsonl with a field 'text'.",
        ),
    ] = None,
    calibration_images: CalibrationImages = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a plot of all recipes to this HTML file.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make smaller variants of a bundle: try recipes, measure them, keep what meets the budget.

    Example: edgeembed quantize minilm.bundle small.bundle --quantize int8-faithful --html plot.html
    """
    import edgeembed

    check_free([html], overwrite=overwrite)
    with step_progress() as progress:
        task = progress.add_task("Starting")
        report = edgeembed.quantize(
            bundle,
            output,
            quantize=quantize or "int8",
            budget=budget_of(mean_cosine, min_cosine, pairs_spearman, retrieval_overlap),
            calibration=None if calibration is None else list(read_texts(calibration)),
            calibration_images=calibration_images,
            overwrite=overwrite,
            on_step=lambda step: progress.update(task, description=step),
        )
    if html is not None:
        write_html(html, quantization_page(report))
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
        remark(f"Refused: {name}: {why}")


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
