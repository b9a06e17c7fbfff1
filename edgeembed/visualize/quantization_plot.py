"""A plot of quantization recipes: speed against distance from the original."""

import html
from typing import TYPE_CHECKING

from edgeembed_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    from edgeembed import QuantizationReport

_CHOSEN, _BEST, _OTHER = "#009E73", "#0072B2", "#9aa3ad"
# Keeps recipes that are exact up to rounding on the logarithmic axis.
_MIN_DISTANCE = 1e-7


def quantization_page(report: "QuantizationReport") -> str:
    """One HTML file that opens offline; up and to the right is better.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise MissingExtraError.for_extra("a plot of the recipes", "eval") from error
    figure = go.Figure()
    groups = (
        ("chosen", _CHOSEN, [trial for trial in report.trials if trial.chosen]),
        ("best at its speed", _BEST, [t for t in report.trials if t.best and not t.chosen]),
        ("others", _OTHER, [t for t in report.trials if not t.best and not t.chosen]),
    )
    for name, color, trials in groups:
        figure.add_scatter(
            x=[trial.speedup for trial in trials],
            y=[max(1 - trial.fidelity.mean_cosine, _MIN_DISTANCE) for trial in trials],
            text=[html.escape(trial.chosen or "") for trial in trials],
            customdata=[
                (
                    trial.recipe,
                    trial.fidelity.mean_cosine,
                    trial.fidelity.min_cosine,
                    trial.bytes / 1e6,
                )
                for trial in trials
            ],
            name=name,
            mode="markers+text",
            textposition="top center",
            marker={"size": 13, "color": color},
            hovertemplate="%{customdata[0]}<br>%{x:.2f}x fp32, mean cosine %{customdata[1]:.5f}, "
            "min %{customdata[2]:.5f}, %{customdata[3]:.1f} MB<extra></extra>",
        )
    title = html.escape(report.name)
    figure.update_layout(
        title=f"{title}: every recipe that was tried",
        template="plotly_white",
        height=560,
        xaxis_title="times as fast as fp32 on this machine",
        yaxis={"type": "log", "autorange": "reversed", "title": "1 - mean cosine to the original"},
    )
    return figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
