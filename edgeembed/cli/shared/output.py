"""What commands print: tables and JSON on stdout, progress and remarks on stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from edgeembed.results.printable import one_line, printable, printable_json


class PrintableConsole(Console):
    """A console on which text cannot drive the terminal: it has neither control codes nor links."""

    @property
    def file(self) -> IO[str]:
        """Where to: a stream that lets the console's own codes through."""
        stream = super().file
        return getattr(stream, "unfiltered", stream)

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def render_str(self, text: str, **options: Any) -> Text:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The string as Text, made harmless before its width is measured."""
        return super().render_str(printable(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """What is shown, piece by piece, each made harmless."""
        for text, style, control in super().render(renderable, options):
            if control:
                yield Segment(text, style, control)
            else:
                plain = style.update_link(None) if style and style.link else style
                yield Segment(printable(text), plain)


# Users' own text is printed, so square brackets and colons in it mean nothing.
out: Console = PrintableConsole(markup=False, emoji=False, highlight=False)
err: Console = PrintableConsole(stderr=True, markup=False, emoji=False, highlight=False)


def say(line: str, *, bold: bool = False) -> None:
    """Print one line on stdout, for people."""
    out.print(
        Text(printable(line).replace("\n", " "), style="bold" if bold else ""), soft_wrap=True
    )


def remark(line: str) -> None:
    """Print one line on stderr, for people: what was done, what is going on."""
    err.print(Text(one_line(line)), soft_wrap=True)


def print_line(line: str) -> None:
    """Print one line on stdout, for other programs; tabs stay, and nothing is wrapped."""
    sys.stdout.write("\t".join(map(one_line, line.split("\t"))) + "\n")
    sys.stdout.flush()


def print_json(tree: Any) -> None:
    """Print one JSON document on stdout."""
    print_json_text(json_text(tree, indent=2) + "\n")


def print_json_line(tree: Any) -> None:
    """Print one JSON document on stdout, on one line."""
    print_json_text(json_text(tree) + "\n")


def print_json_text(text: str) -> None:
    """Print JSON on stdout, in which what could drive a terminal is escaped."""
    sys.stdout.write(printable_json(text))
    sys.stdout.flush()


def json_text(tree: Any, indent: int | None = None) -> str:
    """JSON for stdout, ASCII-only unless stdout is UTF."""
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    return json.dumps(tree, indent=indent, ensure_ascii=ascii_only, default=str)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
) -> None:
    """Print a table on stdout; columns that start with '#' hold numbers, aligned right.

    A cell is one line, or one for each element of a tuple.
    """
    table = Table(
        title=None if title is None else Text(one_line(title)),
        title_justify="left",
        header_style="bold",
    )
    for column in columns:
        right = column.startswith("#")
        table.add_column(
            Text(one_line(column.removeprefix("#"))),
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=right,
        )
    for row in rows:
        table.add_row(*map(_cell, row))
    out.print(table)


def _cell(value: object) -> str:
    lines = cast(tuple[object, ...], value) if isinstance(value, tuple) else (value,)
    return "\n".join(one_line(str(line)) for line in lines)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print name-value pairs on stdout, one per line, the values aligned."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(one_line(name), one_line(str(value)))
    out.print(table)


def remark_rows(rows: Iterable[tuple[object, str, str]]) -> None:
    """Print aligned rows on stderr, for people: a count, what is counted, and which."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True, min_width=7)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for cells in rows:
        table.add_row(*(one_line(str(cell)) for cell in cells))
    err.print(table)


class _Step(ProgressColumn):
    """What a task is about, which may name a file."""

    def render(self, task: Task) -> Text:
        return Text(one_line(task.description))


def step_progress() -> Progress:
    """A spinner on stderr that names the current step; only on a terminal, gone at the end."""
    return Progress(
        SpinnerColumn(),
        _Step(),
        TimeElapsedColumn(),
        console=err,
        redirect_stdout=out.is_terminal,
        transient=True,
        disable=not err.is_terminal,
    )


def bar_progress() -> Progress:
    """A progress bar on stderr; only on a terminal."""
    return Progress(
        _Step(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=err,
        redirect_stdout=out.is_terminal,  # what goes to a file must not go to this console
        disable=not err.is_terminal,
    )


def megabytes(size: int) -> str:
    """A size in bytes as megabytes, for people."""
    return f"{size / 1e6:.1f} MB"
