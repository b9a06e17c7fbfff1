"""What an index remembers of each source: when it was indexed, what was left out, what failed.

Kept as notes in the index, in the commits of the passages; what is left out of single files is
with their states.
"""

import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from edgeembed.ingest.discover.found import Failure, LeftOut
from edgeembed.ingest.readers.base.protocol import Reason

_NOTE = "source:"
# Names of one source that are remembered; counts are of all.
_MAX_NAMES, _MAX_FAILURES, _MAX_MESSAGE = 1000, 200, 500
# A run that changes nothing writes nothing, if another was less than this before.
_SETTLED_S = 60


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """A file or folder that was given to be indexed, as the last run on it left it.

    Attributes:
        place: its absolute path, links resolved.
        given: the path as it was given.
        is_folder: whether it was a folder.
        when: of the last run, in seconds since 1970.
        counts: files and folders that were left out, by reason.
        left_out: the first of them.
        failures: how many files could not be read.
        failed: the first of them.
    """

    place: str
    given: str
    is_folder: bool
    when: int
    counts: Mapping[str, int]
    left_out: tuple[LeftOut, ...]
    failures: int
    failed: tuple[Failure, ...]

    @property
    def is_there(self) -> bool:
        """Whether there still is something."""
        return os.path.lexists(self.place)


def message_of(left: LeftOut) -> str:
    """One line on what is left out."""
    where = f"{left.name}, {left.where}" if left.where else left.name
    return f"{where}: {left.detail or left.reason}"


def source_states(
    sources: Iterable[tuple[str, str]],
    left_out: Sequence[LeftOut],
    failed: Sequence[Failure],
    now: float,
) -> dict[str, SourceState]:
    """What to remember of sources, given as (place, path as given), by place.

    Of a source within another one nothing is: the outer one has it all.
    """
    given = dict(sources)
    outer = {place for place in given if source_of(os.path.dirname(place), given) is None}  # noqa: PTH120
    left_by, failed_by = (
        defaultdict[str, list[LeftOut]](list),
        defaultdict[str, list[Failure]](list),
    )
    for each in left_out:
        left_by[source_of(each.place, outer) or ""].append(each)
    for each in failed:
        failed_by[source_of(each.place, outer) or ""].append(each)
    return {
        place: SourceState(
            place=place,
            given=given[place],
            is_folder=os.path.isdir(place),  # noqa: PTH112
            when=int(now),
            counts=dict(Counter(str(each.reason) for each in left_by[place])),
            left_out=tuple(left_by[place][:_MAX_NAMES]),
            failures=len(failed_by[place]),
            failed=tuple(failed_by[place][:_MAX_FAILURES]),
        )
        for place in outer
    }


def changed_sources(
    known: Mapping[str, SourceState], now: Mapping[str, SourceState]
) -> dict[str, SourceState | None]:
    """What to write so that the index remembers `now`, too; sources within these are forgotten."""
    changed: dict[str, SourceState | None] = {
        place: state for place, state in now.items() if _differs(known.get(place), state)
    }
    for place in known:
        above = source_of(os.path.dirname(place), now)  # noqa: PTH120
        if place not in now and above is not None:
            changed[place] = None
    return changed


def as_source_notes(sources: Mapping[str, SourceState | None]) -> dict[str, str | None]:
    """Sources by place as notes for an index; None forgets one."""
    return {_note(place): None if s is None else _text(s) for place, s in sources.items()}


def read_source_states(notes: Mapping[str, str]) -> dict[str, SourceState]:
    """The sources in the notes of an index, by place; damaged ones count as forgotten."""
    parsed = [_parsed(text) for name, text in notes.items() if name.startswith(_NOTE)]
    return {source.place: source for source in parsed if source is not None}


def source_of(place: str, sources: Container[str]) -> str | None:
    """The source that a place is, or is in."""
    before = ""
    while place != before:
        if place in sources:
            return place
        place, before = os.path.dirname(place), place  # noqa: PTH120
    return None


def _differs(known: SourceState | None, now: SourceState) -> bool:
    if known is None or now.when - known.when >= _SETTLED_S or now.when < known.when:
        return True
    return _text(known, when=0) != _text(now, when=0)


def _note(place: str) -> str:
    # A place may be longer than a name of a note, and no UTF-8.
    return _NOTE + hashlib.sha256(os.fsencode(place)).hexdigest()[:32]


def _text(source: SourceState, when: int | None = None) -> str:
    tree = {
        "place": source.place,
        "given": source.given,
        "is_folder": source.is_folder,
        "when": source.when if when is None else when,
        "counts": dict(source.counts),
        "left_out": [[e.name, e.place, str(e.reason), e.detail] for e in source.left_out],
        "failures": source.failures,
        "failed": [[e.place, e.message[:_MAX_MESSAGE]] for e in source.failed],
    }
    return json.dumps(tree)


def _parsed(text: str) -> SourceState | None:
    try:
        tree: dict[str, Any] = json.loads(text)
        left_out = cast("list[list[str]]", tree["left_out"])
        failed = cast("list[list[str]]", tree["failed"])
        return SourceState(
            place=str(tree["place"]),
            given=str(tree["given"]),
            is_folder=bool(tree["is_folder"]),
            when=int(tree["when"]),
            counts={str(Reason(why)): int(count) for why, count in tree["counts"].items()},
            left_out=tuple(
                LeftOut(name=name, place=place, reason=Reason(why), detail=detail)
                for name, place, why, detail in left_out
            ),
            failures=int(tree["failures"]),
            failed=tuple(Failure(place=place, message=message) for place, message in failed),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
