"""The result of one check."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check: what was found, and what to do about it where it is not well."""

    name: str
    status: Status
    found: str
    advice: str = ""

    @classmethod
    def ok(cls, name: str, found: str) -> "Finding":
        """All is well."""
        return cls(name=name, status="ok", found=found)

    @classmethod
    def note(cls, name: str, found: str, advice: str = "") -> "Finding":
        """Something works less well than it could."""
        return cls(name=name, status="note", found=found, advice=advice)

    @classmethod
    def wrong(cls, name: str, found: str, advice: str = "") -> "Finding":
        """Something does not work."""
        return cls(name=name, status="wrong", found=found, advice=advice)
