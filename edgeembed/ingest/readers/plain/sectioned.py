"""Text with headings, cut so that every block knows the headings that it is under.

A block is a window, and headings within it are found again when it is cut into passages. A window
that begins inside a section is under headings of an earlier one: it ends where they do.
"""

from collections.abc import Iterator

from edgeembed.ingest.readers.plain.decoded import Window
from edgeembed_runtime.inputs.text.structure import Heading, structure_of


def sectioned(found: Iterator[Window]) -> Iterator[tuple[Window, tuple[str, ...]]]:
    """Yield windows of one text, and the headings above their beginnings, outermost first."""
    above: list[Heading] = []
    for window in found:
        headings = structure_of(window.text).headings
        start = 0
        open_above = list(above)
        for heading in headings:
            if open_above and open_above[-1].level >= heading.level:
                if heading.start > start:
                    yield window.part(start, heading.start), _titles(open_above)
                while open_above and open_above[-1].level >= heading.level:
                    open_above.pop()
                start = heading.start
            while above and above[-1].level >= heading.level:
                above.pop()
            above.append(heading)
        yield window.part(start), _titles(open_above)


def _titles(headings: list[Heading]) -> tuple[str, ...]:
    return tuple(heading.title for heading in headings if heading.title)
