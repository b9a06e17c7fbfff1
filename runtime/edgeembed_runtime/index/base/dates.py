"""Dates as ISO 8601 texts: in metadata they are texts, and filters compare them as instants."""

import re
from datetime import UTC, date, datetime

from edgeembed_runtime.errors import InputError

# What SQLite's date functions read as well; Python reads more, such as "20240501" and weeks.
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}"
    r"([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)?)?",
    re.ASCII,
)
_MICROSECONDS = re.compile(r"(\.\d{6})\d+")


def date_text(value: date, what: str) -> str:
    """Return a date or a datetime as the text that is stored and compared.

    Raises:
        InputError: it is "not a time", as pandas has it.
    """
    text = value.isoformat()
    if isinstance(value, datetime) and value.tzinfo is not None and not is_date(text):
        text = value.astimezone(UTC).isoformat()  # old local times differ from UTC by seconds
    if not is_date(text):
        raise InputError(f"{what}: expected a date, got {text[:80]!r}")
    return text


def is_date(text: str) -> bool:
    """Whether a text is a date: YYYY-MM-DD, and perhaps a time and a difference from UTC."""
    if not _ISO.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(_MICROSECONDS.sub(r"\1", text))
    except ValueError:
        return False
    return True
