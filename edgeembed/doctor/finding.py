"""What the doctor finds."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at: what was found, and what to do where it is not well."""

    name: str
    status: Status
    found: str
    advice: str = ""
