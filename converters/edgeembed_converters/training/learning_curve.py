"""Plot a training: the loss falls, the metric rises."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeembed_converters.training.loop import TrainingPoint
from edgeembed_runtime.errors import MissingExtraError
from edgeembed_runtime.storage import staged_file

# Safe for color-blind readers: Okabe & Ito, https://jfly.uni-koeln.de/color.
_LOSS, _METRIC = "#0072B2", "#D55E00"
_TEACHER_METRIC = "nDCG@10 against the teacher, held out"


def require_plots() -> None:
    """Check that a curve can be drawn, before hours of training.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    _matplotlib()


def write_learning_curve(
    path: Path, points: Sequence[TrainingPoint], title: str, metric: str = _TEACHER_METRIC
) -> None:
    """Write a PNG of a training's measurements; `metric` says what was measured.

    Raises:
        MissingExtraError: matplotlib is not installed.
        StorageError: the file cannot be written.
    """
    figure_class = _matplotlib()
    figure = figure_class(figsize=(8, 4.5), dpi=100, layout="constrained")
    losses = figure.add_subplot()
    metrics = losses.twinx()
    trained = [point for point in points if point.loss is not None]
    losses.plot([p.step for p in trained], [p.loss for p in trained], color=_LOSS, marker=".")
    metrics.plot([p.step for p in points], [p.metric for p in points], color=_METRIC, marker=".")
    best = max(points, key=lambda point: point.metric)
    metrics.axvline(best.step, color=_METRIC, linewidth=0.8, linestyle="dotted")
    losses.set_title(title)
    losses.set_xlabel("step")
    losses.set_ylabel("mean loss", color=_LOSS)
    metrics.set_ylabel(metric, color=_METRIC)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    with staged_file(path) as file:
        file.write(image.getvalue())


def _matplotlib() -> Any:
    try:
        from matplotlib.figure import Figure  # not pyplot, which has global state
    except ImportError as error:
        raise MissingExtraError.for_extra("a learning curve", "distill") from error
    return Figure
