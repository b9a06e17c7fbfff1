"""Metadata filters: a small MongoDB-like language, compiled to SQL with bound values.

    {"lang": "en"}                         equals (None: missing or null)
    {"year": {"$gte": 2020, "$lt": 2024}}  $gt $gte $lt $lte $ne $in $exists
    {"$and": [...]} {"$or": [...]} {"$not": {...}}

All entries of a dict must hold. A field is a top-level key of the metadata. Numbers compare with
numbers, texts with texts; true and false count as 1 and 0. A list or dict in the metadata equals
nothing and is ordered with nothing. $ne is the negation of equals.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from edgeembed_runtime.arguments import shown
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.validation import check_scalar

_ORDER = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
# Three bound values per condition: older SQLite allows 999 in a statement.
_MAX_CONDITIONS = 200
_MAX_DEPTH = 16
_MAX_IN = 100_000
_FORBIDDEN = frozenset('"\\')


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A SQL expression that is 0 or 1 for a row of `doc`, and its bound values in order."""

    sql: str
    values: tuple[str, ...]


def compile_where(where: object) -> Condition:
    """Compile a filter.

    Raises:
        InputError: an unknown operator, a field name with a quote, backslash or control character,
            a value that is not JSON, more than 200 conditions or 16 levels.
    """
    condition = _dict(where, depth=1)
    if len(condition.values) > 3 * _MAX_CONDITIONS:
        raise InputError(f"where: expected at most {_MAX_CONDITIONS} conditions")
    return condition


def _dict(where: object, depth: int) -> Condition:
    if not isinstance(where, Mapping):
        raise InputError(f"where: expected a dict, got {type(where).__name__}")
    if depth > _MAX_DEPTH:
        raise InputError(f"where: expected at most {_MAX_DEPTH} levels")
    entries = cast("Mapping[Any, Any]", where)
    return _joined([_entry(name, value, depth) for name, value in entries.items()], "AND", "1")


def _entry(name: object, value: object, depth: int) -> Condition:
    match name:
        case "$and":
            return _joined(_list("$and", value, depth), "AND", "1")
        case "$or":
            return _joined(_list("$or", value, depth), "OR", "0")
        case "$not":
            inner = _dict(value, depth + 1)
            return Condition(sql=f"NOT {inner.sql}", values=inner.values)
        case str() if not name.startswith("$"):
            return _field(_path(name), name, value)
        case _:
            raise InputError(f"where: expected a field name, $and, $or or $not, got {shown(name)}")


def _list(name: str, value: object, depth: int) -> list[Condition]:
    if not isinstance(value, list | tuple):
        raise InputError(f"where: {name}: expected a list, got {type(value).__name__}")
    return [_dict(item, depth + 1) for item in cast("Sequence[object]", value)]


def _joined(parts: Sequence[Condition], operator: str, empty: str) -> Condition:
    if not parts:
        return Condition(sql=empty, values=())
    sql = f" {operator} ".join(f"({part.sql})" for part in parts)
    return Condition(sql=f"({sql})", values=tuple(v for part in parts for v in part.values))


def _path(field: str) -> str:
    unusable = not field.isprintable() or _FORBIDDEN & set(field)
    if not field or unusable:
        raise InputError(
            f"where: a field name may not be empty or hold quotes, backslashes or control "
            f"characters, got {field[:80]!r}"
        )
    return f'$."{field}"'


def _field(path: str, field: str, value: object) -> Condition:
    if not isinstance(value, Mapping):
        return _equals(path, check_scalar(value, f"where: {field}"))
    tests = cast("Mapping[Any, Any]", value)
    return _joined([_test(path, field, name, test) for name, test in tests.items()], "AND", "1")


def _test(path: str, field: str, name: object, value: object) -> Condition:
    operator = name if isinstance(name, str) else ""
    if operator in _ORDER:
        return _ordered(path, field, _ORDER[operator], value)
    handler = _TESTS.get(operator)
    if handler is None:
        known = ", ".join([*_ORDER, *_TESTS])
        raise InputError(f"where: {field}: expected one of {known}, got {shown(name)}")
    return handler(path, field, value)


def _bound(value: object) -> str:
    # Bound as JSON and extracted by SQLite, so that the same parser reads both sides of a
    # comparison: the last digit of a float can differ from Python's.
    return json.dumps(value, ensure_ascii=False)


def _equals(path: str, value: str | int | float | bool | None) -> Condition:
    if value is None:
        return Condition(
            sql="coalesce(json_type(doc.meta_json, ?), 'null') = 'null'", values=(path,)
        )
    return Condition(
        sql=(
            "(coalesce(json_extract(doc.meta_json, ?) = json_extract(?, '$'), 0)"
            " AND json_type(doc.meta_json, ?) NOT IN ('array', 'object'))"
        ),
        values=(path, _bound(value), path),
    )


def _ordered(path: str, field: str, operator: str, value: object) -> Condition:
    scalar = check_scalar(value, f"where: {field}")
    if scalar is None:
        raise InputError(f"where: {field}: expected a number or a text to compare with, got None")
    types = "('text')" if isinstance(scalar, str) else "('integer', 'real', 'true', 'false')"
    return Condition(
        sql=(
            f"(coalesce(json_type(doc.meta_json, ?), '') IN {types}"
            f" AND json_extract(doc.meta_json, ?) {operator} json_extract(?, '$'))"
        ),
        values=(path, path, _bound(scalar)),
    )


def _not_equals(path: str, field: str, value: object) -> Condition:
    inner = _equals(path, check_scalar(value, f"where: {field}"))
    return Condition(sql=f"NOT {inner.sql}", values=inner.values)


def _in(path: str, field: str, value: object) -> Condition:
    if not isinstance(value, list | tuple | set | frozenset):
        raise InputError(f"where: {field}: $in: expected a list, got {type(value).__name__}")
    items = [check_scalar(v, f"where: {field}: $in") for v in cast("Sequence[object]", value)]
    if len(items) > _MAX_IN:
        raise InputError(f"where: {field}: $in: expected at most {_MAX_IN} values")
    listed = Condition(
        sql=(
            "(coalesce(json_extract(doc.meta_json, ?) IN (SELECT value FROM json_each(?)), 0)"
            " AND json_type(doc.meta_json, ?) NOT IN ('array', 'object'))"
        ),
        values=(path, _bound([item for item in items if item is not None]), path),
    )
    return _joined([listed, _equals(path, None)], "OR", "0") if None in items else listed


def _exists(path: str, field: str, value: object) -> Condition:
    if not isinstance(value, bool):
        raise InputError(f"where: {field}: $exists: expected true or false, got {shown(value)}")
    sql = f"json_type(doc.meta_json, ?) IS {'NOT ' if value else ''}NULL"
    return Condition(sql=sql, values=(path,))


_TESTS: Mapping[str, Callable[[str, str, object], Condition]] = {
    "$in": _in,
    "$ne": _not_equals,
    "$exists": _exists,
}
