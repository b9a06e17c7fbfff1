"""What commands print: tables and JSON on stdout, progress and remarks on stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

# Users' own text is printed, so square brackets and colons in it mean nothing.
out: Console = Console(markup=False, emoji=False)
err: Console = Console(stderr=True, markup=False, emoji=False)


def show_problem(message: str) -> None:
    """Print one line on stderr that says what went wrong."""
    typer.echo(f"edgeembed: {' '.join(message.split())}", err=True)


def print_json(tree: Any) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json_text(tree, indent=2) + "\n")


def json_text(tree: Any, indent: int | None = None) -> str:
    """JSON for stdout, ASCII-only unless stdout is UTF."""
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    return json.dumps(tree, indent=indent, ensure_ascii=ascii_only, default=str)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
) -> None:
    """Print a table on stdout; columns that start with '#' hold numbers, aligned right."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        right = column.startswith("#")
        table.add_column(
            column.removeprefix("#"),
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=right,
        )
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    out.print(table)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print name-value pairs on stdout, one per line, the values aligned."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, str(value))
    out.print(table)


def step_progress() -> Progress:
    """A spinner on stderr that names the current step; only on a terminal, gone at the end."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )


def bar_progress() -> Progress:
    """A progress bar on stderr; only on a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )


def megabytes(size: int) -> str:
    """A size in bytes as megabytes, for people."""
    return f"{size / 1e6:.1f} MB"
