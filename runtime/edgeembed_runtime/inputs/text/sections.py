"""The sections of a text, and which of them go together."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgeembed_runtime.inputs.text.atoms import Atoms
from edgeembed_runtime.inputs.text.structure import Heading, Structure

# A section of less than 1/4 of a chunk is put together with its neighbor.
_TINY = 4


@dataclass(frozen=True, kw_only=True)
class Section:
    """Atoms from `first` up to `last`, under the headings in `path`, their own one included.

    `has_body`: whether there is more than headings.
    """

    first: int
    last: int
    path: tuple[str, ...]
    has_body: bool


def sections_of(text: str, atoms: Atoms, structure: Structure, max_tokens: int) -> list[Section]:
    """Split a text at its headings.

    A heading without a text of its own goes with the section below it. Tiny sections go together
    where all of them are one chunk of `max_tokens`, and they have the same parent.
    """
    grouped: list[Section] = []
    for section in _split(text, atoms, structure):
        before = grouped[-1] if grouped else None
        joined = None if before is None else _joined(before, section, atoms, max_tokens)
        if joined is None:
            grouped.append(section)
        else:
            grouped[-1] = joined
    return grouped


def _split(text: str, atoms: Atoms, structure: Structure) -> Iterator[Section]:
    title = (structure.title,) if structure.title else ()
    headings = structure.headings
    firsts = atoms.at([heading.start for heading in headings]).tolist()
    ends = [heading.start for heading in headings[1:]] + [len(text)]
    end = len(atoms.totals) - 1
    if not firsts or firsts[0] > 0:
        last = firsts[0] if firsts else end
        yield Section(first=0, last=last, path=title, has_body=True)
    above: list[Heading] = []
    for at, heading in enumerate(headings):
        while above and above[-1].level >= heading.level:
            above.pop()
        above.append(heading)
        path = tuple(each.title for each in above if each.title)
        last = firsts[at + 1] if at + 1 < len(firsts) else end
        if last > firsts[at]:
            yield Section(
                first=firsts[at],
                last=last,
                path=path if path[:1] == title else title + path,
                has_body=not text[heading.end : ends[at]].isspace() and heading.end < ends[at],
            )


def _joined(before: Section, section: Section, atoms: Atoms, max_tokens: int) -> Section | None:
    """Two neighbors as one section, or None if they stay apart."""
    totals = atoms.totals
    sizes = (
        totals[before.last] - totals[before.first],
        totals[section.last] - totals[section.first],
    )
    is_below = section.path[: len(before.path)] == before.path
    if not before.has_body and is_below and len(section.path) > len(before.path):
        if 2 * sizes[0] <= max_tokens:
            return replace(section, first=before.first)
        return None
    if sum(sizes) > max_tokens or _TINY * min(sizes) >= max_tokens:
        return None
    parent = section.path[:-1]
    if parent not in (before.path[:-1], before.path):
        return None
    common = before.path if parent == before.path else parent
    return Section(first=before.first, last=section.last, path=common, has_body=True)
