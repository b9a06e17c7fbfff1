"""A progress bar for long encodings, by a library that is loaded only when one is asked for."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from edgeembed_runtime.errors import MissingExtraError

T = TypeVar("T")


def progress_bar(items: Iterable[T], total: int, shown: bool) -> Iterator[T]:
    """Yield the items, drawing their progress on stderr if `shown`.

    Raises:
        MissingExtraError: a bar is asked for and rich is not installed.
    """
    if not shown:
        yield from items
        return
    try:
        from rich.console import Console
        from rich.progress import track
    except ImportError as error:
        raise MissingExtraError.for_extra("show_progress_bar", "cli") from error
    yield from track(items, "Encoding", total=total, console=Console(stderr=True))
