"""What a run or an index left out, as a table for people: by reason, with counts and names."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from edgeembed.cli.shared.output import remark, remark_rows
from edgeembed.ingest.discover.found import LeftOut
from edgeembed.ingest.readers.base.protocol import Reason

_NAMED = 3


def show_left_out(left_out: Sequence[LeftOut], *, verbose: bool) -> None:
    """Print on stderr what was left out: a line for each reason, or, if verbose, for each name."""
    rows = left_out_rows(left_out, verbose=verbose)
    if rows:
        remark("Left out:")
        remark_rows(rows)


def left_out_rows(left_out: Sequence[LeftOut], *, verbose: bool) -> list[tuple[str, str, str]]:
    """How many were left out, why, and which: a row for each reason, or for each name."""
    rows: list[tuple[str, str, str]] = []
    for reason, group in _by_reason(left_out).items():
        count = f"{len(group):,}"
        if verbose:
            rows += [
                ("" if i else count, "" if i else reason, _told(e)) for i, e in enumerate(group)
            ]
            continue
        names = list({each.name: _place(each) for each in group}.values())
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        rows.append((count, reason, f"{', '.join(names[:_NAMED])}{more}"))
        if reason == Reason.NO_READER:
            rows += [("", "", detail) for detail in sorted({e.detail for e in group if e.detail})]
    return rows


def left_out_tree(left_out: Iterable[LeftOut]) -> list[dict[str, str]]:
    """What was left out, for JSON: all of it."""
    return [
        {"name": e.name, "reason": str(e.reason), "where": e.where, "detail": e.detail}
        for e in left_out
    ]


def _by_reason(left_out: Iterable[LeftOut]) -> dict[Reason, list[LeftOut]]:
    groups = defaultdict[Reason, list[LeftOut]](list)
    for each in left_out:
        groups[each.reason].append(each)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))


def _place(left: LeftOut) -> str:
    return f"{left.name} ({left.where})" if left.where else left.name


def _told(left: LeftOut) -> str:
    return f"{_place(left)}: {left.detail}" if left.detail else _place(left)
