"""A map of an index as one HTML file that opens offline."""

import html
import textwrap
from collections.abc import Sequence
from typing import Any

from edgeembed.visualize.map_points import Points
from edgeembed.visualize.projection import Projection
from edgeembed_runtime.errors import MissingExtraError

_SHOWN_CHARACTERS, _LINE_CHARACTERS = 280, 70
# Values beyond what a legend and distinct colors can show share one color.
_MAX_VALUES = 12
_OTHERS = "others"
_COLORS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#B8A800",
    "#8C564B", "#17BECF", "#637939", "#E377C2",
)  # fmt: skip
_GREY = "#9aa3ad"


def map_page(title: str, points: Points, projection: Projection, color: str | None) -> str:
    """The page: a dot per document, its text on hover, colored by a metadata field.

    Raises:
        InputError: no document has the field.
        MissingExtraError: plotly is not installed.
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise MissingExtraError.for_extra("edgeembed map", "eval") from error
    figure = go.Figure()
    values = points.values(color) if color else None
    hovers = [_hover(points, number) for number in range(len(points.keys))]
    if values is not None and _are_numbers(values):
        _add(figure, projection, hovers, range(len(hovers)), None, _scale(values, color or ""))
    else:
        for name, places, tone in _groups(values, len(hovers)):
            _add(figure, projection, hovers, places, name, {"color": tone})
    figure.update_layout(
        title={"text": _title(title, points, projection), "x": 0.02},
        template="plotly_white",
        font={"family": "system-ui, sans-serif", "size": 13},
        legend={"title": {"text": html.escape(color or "")}, "itemsizing": "constant"},
        showlegend=color is not None,
        hoverlabel={"align": "left", "bgcolor": "white"},
        margin={"l": 20, "r": 20, "t": 80, "b": 20},
        dragmode="pan",
    )
    figure.update_xaxes(showticklabels=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, zeroline=False, scaleanchor="x")
    return figure.to_html(
        include_plotlyjs=True,
        div_id="map",
        default_height="96vh",
        config={"scrollZoom": True, "displaylogo": False, "responsive": True},
    )


def _title(title: str, points: Points, projection: Projection) -> str:
    shown = f"{len(points.keys):,} documents"
    if len(points.keys) < points.total:
        shown += f", sampled from {points.total:,}"
    how = "UMAP"
    if projection.explained:
        share = 100 * sum(projection.explained)
        how = f"PCA, {share:.0f} % of the variance explained"
    return f"<b>{html.escape(title)}</b><br><sub>{shown}; {how}</sub>"


def _hover(points: Points, number: int) -> str:
    """Key, text and metadata of one document, escaped; of code its place and signature first."""
    metadata = dict(points.metadatas[number])
    name = points.keys[number]
    lines: list[str] = []
    if "language" in metadata and "line" in metadata and "source" in metadata:
        name = f"{metadata.pop('source')}:{metadata.pop('line')}"
        for field in ("start", "end", "folder"):
            metadata.pop(field, None)
        signature = str(metadata.pop("signature", ""))
        wrapped = textwrap.wrap(signature[:_SHOWN_CHARACTERS], _LINE_CHARACTERS)
        lines += [html.escape(line) for line in wrapped]
    lines.insert(0, f"<b>{html.escape(name[:_LINE_CHARACTERS])}</b>")
    if document := points.documents[number]:
        text = " ".join(document[: 4 * _SHOWN_CHARACTERS].split())
        text = textwrap.shorten(text, _SHOWN_CHARACTERS, placeholder=" …")
        lines += [html.escape(line) for line in textwrap.wrap(text, _LINE_CHARACTERS)]
    for field, value in metadata.items():
        lines.append(f"<i>{html.escape(f'{field}: {value}'[:_LINE_CHARACTERS])}</i>")
    return "<br>".join(lines)


def _add(
    figure: Any,
    projection: Projection,
    hovers: Sequence[str],
    places: Sequence[int],
    name: str | None,
    marker: dict[str, Any],
) -> None:
    chosen = projection.places[list(places)]
    figure.add_scattergl(
        x=chosen[:, 0].round(5).tolist(),
        y=chosen[:, 1].round(5).tolist(),
        mode="markers",
        name=html.escape(name or ""),
        text=[hovers[place] for place in places],
        hovertemplate="%{text}<extra></extra>",
        marker={"size": 7 if len(hovers) < 3000 else 4, "opacity": 0.75, **marker},
    )


def _are_numbers(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in known)
    return numbers and len(set(known)) > _MAX_VALUES


def _scale(values: Sequence[Any], color: str) -> dict[str, Any]:
    bar = {"title": {"text": html.escape(color)}, "thickness": 14}
    return {"color": list(values), "colorscale": "Viridis", "colorbar": bar}


def _groups(
    values: Sequence[Any] | None, count: int
) -> list[tuple[str | None, Sequence[int], str]]:
    """Value, row numbers and color of each group of documents, the largest first."""
    if values is None:
        return [(None, range(count), _COLORS[0])]
    places: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        places.setdefault("none" if value is None else str(value), []).append(place)
    ranked = sorted(places, key=lambda name: (-len(places[name]), name))
    shown, rest = ranked[:_MAX_VALUES], ranked[_MAX_VALUES:]
    groups: list[tuple[str | None, Sequence[int], str]] = [
        (name[:40], places[name], tone) for name, tone in zip(shown, _COLORS, strict=False)
    ]
    if rest:
        others = [place for name in rest for place in places[name]]
        groups.insert(0, (_OTHERS, others, _GREY))  # below the named ones
    return groups
