"""What an author says of a document, made to fit an index: plain values, few and short."""

import datetime
import math
from collections.abc import Mapping
from typing import Any, cast

_MAX_TEXT = 1000
_MAX_VALUES = 1000
_MAX_LEVELS = 8
_INT64 = 1 << 63


def clean_metadata(found: Mapping[Any, Any]) -> dict[str, Any]:
    """What an index can take of some metadata: dates become ISO texts, names become texts.

    Values of other kinds, numbers that JSON has not, and whatever is beyond 1,000 values or 8
    levels are left out; texts end after 1,000 characters.
    """
    cleaned = _Cleaner().clean(found, 1)
    return cast("dict[str, Any]", cleaned) if isinstance(cleaned, dict) else {}


class _Cleaner:
    """Counts values: an alias in YAML makes a thousand of one."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES

    def clean(self, value: object, level: int) -> Any:
        self._left -= 1
        if self._left < 0 or level > _MAX_LEVELS:
            return None
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[Any, Any]", value), level)
        if isinstance(value, list | tuple | set | frozenset):
            items = (self.clean(item, level + 1) for item in cast("list[Any]", value))
            return [item for item in items if item is not None]
        return _scalar(value)

    def _mapping(self, value: Mapping[Any, Any], level: int) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for name, item in value.items():
            if self._left <= 0:
                break
            kept = self.clean(item, level + 1)
            label = _text(str(name)).strip()
            if kept is not None and label:
                cleaned[label] = kept
        return cleaned


def _scalar(value: object) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else str(value)[:_MAX_TEXT]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return None


def _text(value: str) -> str:
    kept = value[:_MAX_TEXT].replace("\0", "")
    return kept.encode("utf-8", "replace").decode("utf-8")
