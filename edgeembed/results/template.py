"""Templates of HTML pages, into which texts of strangers go."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgeembed.results.printable import printable
from edgeembed_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Template


def page_template(
    path: Path, what: str, extra: str, filters: Mapping[str, Callable[..., object]] | None = None
) -> "Template":
    """The template in a file: it escapes every value, and shows control characters as text.

    Args:
        path: the template.
        what: what it is for, and
        extra: what has to be installed for it; for the error.
        filters: of the template, by name.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_extra(what, extra) from error
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )
    environment.filters.update(filters or {})
    return environment.from_string(path.read_text(encoding="utf-8"))


def _harmless(value: object) -> object:
    # What is marked as HTML is of a subclass, and stays as it is: plotly's script is.
    return printable(value) if type(value) is str else value
