"""Where a hit is: the file with its line, page, slide, cells ..., and the headings above it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from edgeembed.ingest.readers.base.places import place_of
from edgeembed_runtime.index.base.types import Hit

_NUMBERED = ("page", "slide", "chapter", "cell")


@dataclass(frozen=True, kw_only=True)
class Location:
    """A place in a file, or the key of a document that is in no file."""

    key: str
    source: str | None
    part: str
    """The document within the file: an attachment, an entry of an archive, a record's id."""
    line: int | None
    spot: str
    """Where else, in words: `page 3`, `sheet Costs!A2:D2`."""
    headings: tuple[str, ...]
    symbol: str = ""
    """Of source code, the full name of the function or class."""

    @property
    def name(self) -> str:
        """`notes/a.md:12`, `report.pdf page 3`, `mail.eml/plan.txt:7`, or the key."""
        if self.source is None:
            return self.key
        document = f"{self.source}/{self.part}" if self.part else self.source
        if self.spot:
            return f"{document} {self.spot}"
        return self.key if self.line is None else f"{document}:{self.line}"

    @property
    def heading_path(self) -> str:
        """`Heading > Subheading`, of source code `Class.method`; or ""."""
        return " > ".join(self.headings) or self.symbol

    def file(self) -> Path | None:
        """The file as an absolute path, if it is still there."""
        if self.source is None:
            return None
        try:
            path = Path(self.source).absolute()
            return path if path.is_file() else None
        except (OSError, ValueError):  # a record's key may be anything
            return None


def location_of(hit: Hit) -> Location:
    """Where a hit is, by its metadata; what is not of the expected type counts as missing."""
    place = place_of(hit.metadata)
    source, part = place.get("source"), place.get("part")
    found, symbol = place.get("headings"), place.get("symbol")
    headings = cast(list[object], found) if isinstance(found, list) else []
    named = tuple(heading for heading in headings if isinstance(heading, str) and heading)
    if not named and hit.title and not isinstance(source, str):
        named = (hit.title,)
    return Location(
        key=hit.key,
        source=source if isinstance(source, str) else None,
        part=part if isinstance(part, str) else "",
        line=_number(place.get("line")),
        spot=_spot(place),
        headings=named,
        symbol=symbol if isinstance(symbol, str) else "",
    )


def _spot(place: Mapping[str, Any]) -> str:
    sheet, cells, time = place.get("sheet"), place.get("cells"), place.get("time")
    if isinstance(sheet, str):
        return f"sheet {sheet}!{cells}" if isinstance(cells, str) else f"sheet {sheet}"
    numbers = ((name, _number(place.get(name))) for name in _NUMBERED)
    shown = next((f"{name} {number}" for name, number in numbers if number is not None), "")
    return shown or (f"at {time}" if isinstance(time, str) else "")


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
