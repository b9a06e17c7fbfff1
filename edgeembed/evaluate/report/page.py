"""The report as one HTML file that opens offline."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgeembed.evaluate.models.quantized_vectors import Compaction
from edgeembed.evaluate.report import summary
from edgeembed.evaluate.runner.evaluation import Evaluation
from edgeembed.evaluate.runner.verdict import Verdict
from edgeembed.export.outputs import write_html
from edgeembed.results.template import page_template
from edgeembed_runtime.engine.cpu import available_cpus, cpu_features
from edgeembed_runtime.errors import MissingExtraError
from edgeembed_runtime.version import __version__

_TEMPLATE = Path(__file__).with_name("page.html.jinja")
_FILTERS = {"number": summary.number, "span": summary.span, "sure": summary.is_sure}


def write_page(
    path: Path,
    evaluation: Evaluation,
    *,
    verdict: Verdict | None = None,
    ways: Mapping[str, Compaction] | None = None,
) -> None:
    """Write the report page; `ways` says how each model of that name stores its vectors.

    Raises:
        MissingExtraError: jinja2 or plotly is not installed.
        StorageError: the file cannot be written.
    """
    template = page_template(_TEMPLATE, "the report page", "eval", _FILTERS)
    try:
        from edgeembed.evaluate.report import plots

        figures = _figures(plots, evaluation, verdict, ways or {})
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_extra("the report page", "eval") from error
    page = template.render(
        evaluation=evaluation,
        means={m.name: summary.mean_score(evaluation, m.name) for m in evaluation.models},
        quality=evaluation.quality_tasks,
        verdict=verdict,
        figures=figures,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=f"{platform.system()} {platform.machine()}, {available_cpus()} threads, "
        f"{' '.join(sorted(cpu_features()))}",
        version=__version__,
    )
    write_html(path, page)


def _figures(
    plots: Any,
    evaluation: Evaluation,
    verdict: Verdict | None,
    ways: Mapping[str, Compaction],
) -> dict[str, str]:
    """The plots that have data, as HTML by title; plotly's script is included once."""
    made: dict[str, Any] = {}
    if ways:
        made["Quality against bytes a vector"] = plots.compaction_plot(evaluation, ways)
    quality = evaluation.quality_tasks
    if quality and not ways and len(evaluation.models) > 1:
        budget = verdict.budget if verdict else None
        made["Against the reference"] = plots.differences_plot(evaluation, budget)
    if quality and not ways:
        made["Scores"] = plots.scores_plot(evaluation)
    if quality and not ways and sum(m.megabytes is not None for m in evaluation.models) > 1:
        made["Quality against size"] = plots.size_plot(evaluation)
    return {
        title: figure.to_html(
            full_html=False,
            include_plotlyjs=number == 0,
            div_id=f"plot-{number}",
            config={"displayModeBar": False, "responsive": True},
        )
        for number, (title, figure) in enumerate(made.items())
    }
