"""What the commands that train share: options, a progress bar, and the results."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress as Bar

from edgeembed.cli.shared.output import bar_progress, megabytes, print_table

if TYPE_CHECKING:
    from edgeembed import StaticReport, StudentReport, TrainingReport
    from edgeembed_converters.training.loop import TrainingProgress


TrainedModel = Annotated[
    str, typer.Argument(help="The directory of a trained model, or its id on the Hugging Face Hub.")
]
HeldOut = Annotated[int, typer.Option(help="Texts to measure on, not trained on.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same student.")]
LearningCurve = Annotated[Path | None, typer.Option(help="Plot the training to this PNG file.")]
WorkDir = Annotated[
    Path | None,
    typer.Option(help="For teacher vectors and checkpoints; default: beside the bundle."),
]


class TrainingBar:
    """One bar for all steps of a training."""

    def __init__(self, bar: Bar) -> None:
        """Show that work has started."""
        self._bar = bar
        self._task = bar.add_task("Starting", total=None)

    def on_step(self, step: str) -> None:
        """A step starts."""
        self._bar.update(self._task, description=step, completed=0, total=None)

    def on_teacher(self, done: int, total: int) -> None:
        """The teacher has encoded `done` of `total` texts."""
        self._bar.update(self._task, completed=done, total=total)

    def on_progress(self, now: "TrainingProgress") -> None:
        """A training step is done."""
        self._bar.update(
            self._task,
            description=f"Training: loss {now.loss:.4f}, best metric {now.best:.4f}",
            completed=now.step,
            total=now.steps,
        )


@contextmanager
def training_bar() -> Generator[TrainingBar]:
    """A progress bar on a terminal, until the block ends."""
    with bar_progress() as bar:
        yield TrainingBar(bar)


def training_facts(report: "StaticReport | StudentReport") -> list[tuple[str, str]]:
    """The training and its results, as rows of a table."""
    trained = report.trained
    return [
        ("texts", f"{report.texts:,} trained on, {report.held_out:,} held out"),
        ("steps", f"{trained.steps:,}, the best after {trained.best_step:,}"),
        ("held out", f"mean cosine to the teacher {report.cosine:.4f}"),
        ("", f"nDCG@10 of its ranking {trained.initial:.4f} before, {trained.best:.4f} after"),
        ("took", f"{report.seconds:g} s"),
    ]


def show_variants(report: "StudentReport | TrainingReport", original: str) -> None:
    """Print how near each variant of a bundle is to what was trained."""
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
        title=f"Variants, compared with {original}",
    )
