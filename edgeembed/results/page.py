"""A page of text results in one HTML file: no network, no scripts, no other files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edgeembed.export.outputs import write_html
from edgeembed.results.answers import Answer, Segment, nothing_fits
from edgeembed.results.confidence import BLOCKS, filled_blocks
from edgeembed.results.location import Location
from edgeembed.results.printable import one_line, printable, unwrapped
from edgeembed.results.template import page_template

_TEMPLATE = Path(__file__).with_name("page.html.jinja")
# Of a passage and of each neighbor; more is read in the file itself.
_MAX_CHARACTERS = 4000


def write_page(path: Path, query: str, answers: Sequence[Answer], remark: str) -> None:
    """Write the page.

    Args:
        path: the file to write.
        query: the heading.
        answers: the results, best first.
        remark: a line under the heading, such as how many were searched.

    Raises:
        MissingExtraError: jinja2 is not installed.
        StorageError: the file cannot be written.
    """
    page = page_template(_TEMPLATE, "an HTML page", "cli").render(
        query=one_line(query),
        remark=remark,
        answers=list(map(_shown, answers)),
        nothing_fits=nothing_fits(answers),
        blocks=BLOCKS,
    )
    write_html(path, page)


def _shown(answer: Answer) -> dict[str, object]:
    hit, probability = answer.hit, answer.hit.probability
    return {
        "rank": answer.rank,
        "score": f"{hit.score:.3f}",
        "word": answer.confidence,
        "filled": 0 if probability is None else filled_blocks(probability),
        "percent": "" if probability is None else f"{100 * probability:.0f} %",
        "place": _linked(answer.location),
        "headings": [one_line(heading) for heading in answer.location.headings],
        "segments": list(_trimmed(answer.segments(_MAX_CHARACTERS))),
        "before": printable(unwrapped(hit.before[-_MAX_CHARACTERS:])).strip(),
        "after": printable(unwrapped(hit.after[:_MAX_CHARACTERS])).strip(),
        "also_in": list(map(_linked, answer.also_in)),
    }


def _linked(location: Location) -> dict[str, str]:
    file = location.file()
    return {"name": one_line(location.name), "uri": "" if file is None else file.as_uri()}


def _trimmed(segments: Iterator[Segment]) -> Iterator[Segment]:
    """The segments from the first with a visible character on: white space is shown as it is."""
    visible = False
    for segment in segments:
        if visible or segment.text.strip():
            text = segment.text if visible else segment.text.lstrip()
            yield Segment(text=text, best=segment.best, word=segment.word)
            visible = True
