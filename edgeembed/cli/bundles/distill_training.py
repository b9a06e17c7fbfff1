"""What both kinds of `edgeembed distill` show: a bar while they train, and what came of it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import Progress as Bar

from edgeembed.cli.shared.output import bar_progress

if TYPE_CHECKING:
    from edgeembed import StaticReport, StudentReport
    from edgeembed_converters.distill.training.loop import TrainingProgress


class TrainingBar:
    """One bar for all steps of a distillation."""

    def __init__(self, bar: Bar) -> None:
        """Show that something has begun."""
        self._bar = bar
        self._task = bar.add_task("Starting", total=None)

    def on_step(self, step: str) -> None:
        """A step begins."""
        self._bar.update(self._task, description=step, completed=0, total=None)

    def on_teacher(self, done: int, total: int) -> None:
        """So many texts have their teacher's vectors."""
        self._bar.update(self._task, completed=done, total=total)

    def on_progress(self, now: "TrainingProgress") -> None:
        """A step of the training is done."""
        self._bar.update(
            self._task,
            description=f"Training: loss {now.loss:.4f}, best metric {now.best:.4f}",
            completed=now.step,
            total=now.steps,
        )


@contextmanager
def training_bar() -> Generator[TrainingBar]:
    """A bar, if there is a terminal, until the block ends."""
    with bar_progress() as bar:
        yield TrainingBar(bar)


def training_facts(report: "StaticReport | StudentReport") -> list[tuple[str, str]]:
    """What the training was and what it brought, for a table."""
    trained = report.trained
    return [
        ("texts", f"{report.texts:,} learned from, {report.held_out:,} held out"),
        ("steps", f"{trained.steps:,}, the best after {trained.best_step:,}"),
        ("held out", f"mean cosine to the teacher {report.cosine:.4f}"),
        ("", f"nDCG@10 of its ranking {trained.initial:.4f} before, {trained.best:.4f} after"),
        ("took", f"{report.seconds:g} s"),
    ]
