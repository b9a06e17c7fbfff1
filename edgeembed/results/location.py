"""Where a hit is: the file with its line or page, and the headings above it."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from edgeembed_runtime.index.base.types import Hit


@dataclass(frozen=True, kw_only=True)
class Location:
    """A place in a file, or the key of a document that is in no file."""

    key: str
    source: str | None
    line: int | None
    page: int | None
    headings: tuple[str, ...]

    @property
    def name(self) -> str:
        """`notes/a.md:12`, `report.pdf page 3`, or the key."""
        if self.source is None:
            return self.key
        if self.page is not None:
            return f"{self.source} page {self.page}"
        return self.key if self.line is None else f"{self.source}:{self.line}"

    @property
    def heading_path(self) -> str:
        """`Heading > Subheading`, or ""."""
        return " > ".join(self.headings)

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
    metadata = hit.metadata or {}
    source = metadata.get("source")
    found = metadata.get("headings")
    headings = cast(list[object], found) if isinstance(found, list) else []
    named = tuple(heading for heading in headings if isinstance(heading, str) and heading)
    if not named and hit.title and not isinstance(source, str):
        named = (hit.title,)
    return Location(
        key=hit.key,
        source=source if isinstance(source, str) else None,
        line=_number(metadata.get("line")),
        page=_number(metadata.get("page")),
        headings=named,
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
