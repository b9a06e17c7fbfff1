"""Progress of long encodings: a callback, or a progress bar by rich."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from edgeembed_runtime.arguments import checked_flag
from edgeembed_runtime.errors import MissingExtraError

T = TypeVar("T")
OnProgress = Callable[[int, int], None]
"""Called with the number of inputs done and the total."""


def check_progress(shown: object) -> None:
    """Check that progress can be shown this way.

    Raises:
        InputError: neither True, False, None nor a function.
    """
    if shown is not None and not callable(shown):
        checked_flag(shown, "show_progress_bar")


def with_progress(items: Iterable[T], total: int, shown: bool | OnProgress) -> Iterator[T]:
    """Yield the items; after each, call `shown` or update a progress bar on stderr, if requested.

    Raises:
        MissingExtraError: a progress bar is requested and rich is not installed.
    """
    if callable(shown):
        for done, item in enumerate(items, 1):
            yield item
            shown(done, total)
    elif shown:
        try:
            from rich.console import Console
            from rich.progress import track
        except ImportError as error:
            raise MissingExtraError.for_extra("show_progress_bar", "cli") from error
        yield from track(items, "Encoding", total=total, console=Console(stderr=True))
    else:
        yield from items
