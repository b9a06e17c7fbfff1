"""A training as an image: the loss falls, the figure rises."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeembed_converters.distill.training.loop import TrainingPoint
from edgeembed_runtime.errors import MissingExtraError
from edgeembed_runtime.storage import staged_file

# Told apart by people who see colors differently: Okabe & Ito, https://jfly.uni-koeln.de/color.
_LOSS, _FIGURE = "#0072B2", "#D55E00"


def require_plots() -> None:
    """See that a curve can be drawn, before hours of training.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    _matplotlib()


def write_learning_curve(path: Path, points: Sequence[TrainingPoint], title: str) -> None:
    """Write a PNG of a training's measurements.

    Raises:
        MissingExtraError: matplotlib is not installed.
        StorageError: the file cannot be written.
    """
    figure_class = _matplotlib()
    figure = figure_class(figsize=(8, 4.5), dpi=100, layout="constrained")
    losses = figure.add_subplot()
    figures = losses.twinx()
    trained = [point for point in points if point.loss is not None]
    losses.plot([p.step for p in trained], [p.loss for p in trained], color=_LOSS, marker=".")
    figures.plot([p.step for p in points], [p.figure for p in points], color=_FIGURE, marker=".")
    best = max(points, key=lambda point: point.figure)
    figures.axvline(best.step, color=_FIGURE, linewidth=0.8, linestyle="dotted")
    losses.set_title(title)
    losses.set_xlabel("step")
    losses.set_ylabel("mean loss", color=_LOSS)
    figures.set_ylabel("nDCG@10 against the teacher, held out", color=_FIGURE)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    with staged_file(path) as file:
        file.write(image.getvalue())


def _matplotlib() -> Any:
    try:
        from matplotlib.figure import Figure  # no pyplot: it has a state of its own
    except ImportError as error:
        raise MissingExtraError.for_extra("a learning curve", "distill") from error
    return Figure
