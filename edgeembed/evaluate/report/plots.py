"""The plots of the report, with plotly."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgeembed.evaluate.models.quantized_vectors import Compaction
from edgeembed.evaluate.report.summary import mean_score
from edgeembed.evaluate.runner.evaluation import Evaluation, TaskResult

# Safe for color-blind readers: Okabe & Ito, https://jfly.uni-koeln.de/color.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444", "#B8A800")
_ROW_PIXELS, _MARGIN_PIXELS = 26, 120


def scores_plot(evaluation: Evaluation) -> Any:
    """Each model's score at each quality task, with its interval."""
    tasks = evaluation.quality_tasks
    figure = _figure(tasks, len(evaluation.models), "score, points")
    for number, model in enumerate(evaluation.models):
        found = [task.measured[model.name] for task in tasks]
        _dots(
            figure,
            _rows(tasks, number, len(evaluation.models)),
            [each.score for each in found],
            [(each.interval.low, each.interval.high) for each in found],
            model.name,
            number,
        )
    return figure


def differences_plot(evaluation: Evaluation, budget: float | None) -> Any:
    """Each model's difference from the reference at each quality task."""
    tasks = evaluation.quality_tasks
    others = [
        (number, model.name)
        for number, model in enumerate(evaluation.models)
        if model.name != evaluation.reference
    ]
    figure = _figure(tasks, len(others), f"points against {evaluation.reference}")
    figure.add_vline(x=0, line_color="#888", line_width=1)
    if budget is not None:
        figure.add_vline(x=-budget, line_color="#c00", line_width=1, line_dash="dot")
    for place, (number, name) in enumerate(others):
        found = [each for task in tasks if (each := task.measured[name].difference)]
        _dots(
            figure,
            _rows(tasks, place, len(others)),
            [each.value for each in found],
            [(each.interval.low, each.interval.high) for each in found],
            name,
            number,
        )
    return figure


def size_plot(evaluation: Evaluation) -> Any:
    """Mean score against the size of the model's file."""
    figure = _plain_figure("file, MB", "mean score, points")
    for number, model in enumerate(evaluation.models):
        if model.megabytes is not None:
            figure.add_scatter(
                x=[model.megabytes],
                y=[mean_score(evaluation, model.name)],
                name=model.name,
                text=[model.name],
                mode="markers+text",
                textposition="top center",
                marker={"size": 13, "color": COLORS[number % len(COLORS)]},
                hovertemplate="%{text}<br>%{x:.1f} MB, %{y:.2f} points<extra></extra>",
                showlegend=False,
            )
    sizes = [math.log10(m.megabytes) for m in evaluation.models if m.megabytes]
    figure.update_layout(margin={"t": 30})
    # Room for the names beside the outermost dots.
    figure.update_xaxes(type="log", range=[min(sizes) - 0.25, max(sizes) + 0.25])
    return figure


def compaction_plot(evaluation: Evaluation, ways: Mapping[str, Compaction]) -> Any:
    """Mean score against bytes per stored vector, a line per precision."""
    figure = _plain_figure("bytes a vector", "mean score, points")
    lines: dict[tuple[str, bool], list[tuple[float, float, str]]] = {}
    for model, way in ways.items():
        point = (way.bytes, mean_score(evaluation, model), way.name)
        lines.setdefault((way.stored_as, way.rescore), []).append(point)
    for number, ((stored_as, rescore), points) in enumerate(lines.items()):
        points.sort()
        figure.add_scatter(
            x=[x for x, _, _ in points],
            y=[y for _, y, _ in points],
            text=[name for _, _, name in points],
            name=f"{stored_as}{' + rescore' if rescore else ''}",
            mode="lines+markers",
            line={"color": COLORS[number % len(COLORS)], "dash": "dot" if rescore else "solid"},
            hovertemplate="%{text}<br>%{x:.0f} bytes, %{y:.2f} points<extra></extra>",
        )
    figure.add_hline(
        y=mean_score(evaluation, evaluation.reference), line_color="#888", line_dash="dash"
    )
    figure.update_xaxes(type="log")
    return figure


def _rows(tasks: Sequence[TaskResult], place: int, count: int) -> list[float]:
    """The height of each task's dot; the dots of a task are stacked."""
    return [row + 0.6 * ((place + 0.5) / count - 0.5) for row in range(len(tasks))]


def _dots(
    figure: Any,
    rows: Sequence[float],
    values: Sequence[float],
    spans: Sequence[tuple[float, float]],
    name: str,
    number: int,
) -> None:
    figure.add_scatter(
        x=values,
        y=rows,
        name=name,
        mode="markers",
        marker={"size": 9, "color": COLORS[number % len(COLORS)]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - value for value, (_, high) in zip(values, spans, strict=True)],
            "arrayminus": [value - low for value, (low, _) in zip(values, spans, strict=True)],
            "thickness": 1.5,
            "width": 3,
        },
        hovertemplate="%{x:.2f}<extra>" + html.escape(name, quote=False) + "</extra>",
    )


def _figure(tasks: Sequence[TaskResult], models: int, title: str) -> Any:
    figure = _plain_figure(title, "")
    labels = [html.escape(f"{task.name} ({task.metric})", quote=False) for task in tasks]
    figure.update_yaxes(
        tickvals=list(range(len(tasks))),
        ticktext=labels,
        range=[len(tasks) - 0.5, -0.5],
        zeroline=False,
    )
    figure.update_layout(height=_MARGIN_PIXELS + _ROW_PIXELS * len(tasks) * max(1, models))
    return figure


def _plain_figure(x_title: str, y_title: str) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        template="plotly_white",
        font={"family": "system-ui, sans-serif", "size": 13},
        margin={"l": 10, "r": 20, "t": 10, "b": 10},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        height=380,
    )
    figure.update_xaxes(title=x_title, automargin=True)
    figure.update_yaxes(title=y_title, automargin=True)
    return figure
