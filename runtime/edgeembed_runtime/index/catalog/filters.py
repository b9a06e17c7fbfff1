"""Metadata filters: the language of MongoDB that Chroma has too, compiled to SQL.

    {"lang": "en"}                          equals; also $eq; None: missing or null
    {"year": {"$gte": 2020, "$lt": 2024}}   $gt $gte $lt $lte
    {"lang": {"$in": ["en", "de"]}}         one of these; $nin and $ne: not
    {"tags": {"$contains": "lisbon"}}       an element of a list; $not_contains: not
    {"date": {"$exists": True}}             there, perhaps null
    {"$and": [...]} {"$or": [...]} {"$not": {...}}, and {"year": {"$not": {"$gt": 2020}}}

All entries of a dict must hold. Of a list in the metadata, one element must pass a test, as in
MongoDB: {"tags": "lisbon"} finds ["lisbon", "food"]. A name with dots is that key, or leads into
objects and lists of objects: "author.name". Numbers compare with numbers, texts with texts, by
their bytes; true and false count as 1 and 0. A date, which is a text in ISO 8601 or an object of
datetime, compares with dates only, as the instant that it is, to the millisecond; one without a
time zone is in UTC, one without a time begins its day. An object in the metadata equals nothing and
is ordered with nothing. What negates ($ne, $nin, $not_contains, $not) also finds what is missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from edgeembed_runtime.arguments import shown
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.dates import is_date
from edgeembed_runtime.index.base.validation import check_scalar
from edgeembed_runtime.index.catalog.filter_sql import (
    EVERY_ROW,
    Condition,
    Test,
    among,
    among_dates,
    date_ordered,
    equal_to,
    exists,
    holds,
    joined,
    listed,
    negated,
    null,
    number_ordered,
    text_ordered,
)

_ORDER = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_MAX_CONDITIONS = 200
# SQLite before 3.32 allows 999 in a statement, later ones 32,766.
_MAX_VALUES = 30_000
_MAX_DEPTH = 16
_MAX_IN = 100_000
_MAX_NAME_CHARS = 1024


def compile_where(where: object) -> Condition:
    """Compile a filter.

    Raises:
        InputError: an unknown operator, a field name with a quote, backslash or control character,
            a value that is no text, number, true, false, None or date, more than 200 conditions or
            16 levels.
    """
    condition = _dict(where, depth=1)
    if condition.tests > _MAX_CONDITIONS or len(condition.values) > _MAX_VALUES:
        raise InputError(
            f"where: expected at most {_MAX_CONDITIONS} conditions, got {condition.tests}"
            f"; many values of one field are one condition with $in"
        )
    return condition


def compile_optional(where: object) -> Condition:
    """Compile a filter; None lets every row through. Raises as `compile_where`."""
    return EVERY_ROW if where is None else compile_where(where)


def _dict(where: object, depth: int) -> Condition:
    if not isinstance(where, Mapping):
        raise InputError(f"where: expected a dict, got {type(where).__name__}")
    _check_depth(depth)
    entries = cast("Mapping[Any, Any]", where)
    return joined([_entry(name, value, depth) for name, value in entries.items()], "AND", "1")


def _check_depth(depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise InputError(f"where: expected at most {_MAX_DEPTH} levels")


def _entry(name: object, value: object, depth: int) -> Condition:
    match name:
        case "$and":
            return joined(_list("$and", value, depth), "AND", "1")
        case "$or":
            return joined(_list("$or", value, depth), "OR", "0")
        case "$not":
            return negated(_dict(value, depth + 1))
        case str() if not name.startswith("$"):
            return _field(_checked_name(name), value, depth)
        case _:
            raise InputError(f"where: expected a field name, $and, $or or $not, got {shown(name)}")


def _list(name: str, value: object, depth: int) -> list[Condition]:
    if not isinstance(value, list | tuple):
        raise InputError(f"where: {name}: expected a list, got {type(value).__name__}")
    return [_dict(item, depth + 1) for item in cast("Sequence[object]", value)]


def _checked_name(field: str) -> str:
    # SQLite's paths have no way to write these; half a surrogate is no text.
    unusable = any(c in '"\\' or c < " " or "\ud800" <= c <= "\udfff" for c in field)
    if unusable or not 1 <= len(field) <= _MAX_NAME_CHARS:
        raise InputError(
            f"where: a field name may not be empty or hold quotes, backslashes or control "
            f"characters, got {field[:80]!r}"
        )
    return str.__str__(field)


def _field(field: str, value: object, depth: int) -> Condition:
    if not isinstance(value, Mapping):
        return _any_of(field, [_value(field, value)])
    _check_depth(depth)
    tests = cast("Mapping[Any, Any]", value)
    parts = [_test(field, name, test, depth) for name, test in tests.items()]
    return joined(parts, "AND", "1")


def _test(field: str, name: object, value: object, depth: int) -> Condition:
    operator = name if isinstance(name, str) else ""
    if operator in _ORDER:
        return holds(field, _ordered(field, _ORDER[operator], value))
    if operator == "$not":
        if not isinstance(value, Mapping):
            kind = type(value).__name__
            raise InputError(f"where: {field}: $not: expected a dict of operators, got {kind}")
        return negated(_field(field, cast("object", value), depth + 1))
    handler = _TESTS.get(operator)
    if handler is None:
        known = ", ".join([*_ORDER, *_TESTS, "$not"])
        inside = "" if operator.startswith("$") or not operator else (
            f"; what is in an object has a name with a dot: {shown(f'{field}.{operator}')}"
        )  # fmt: skip
        raise InputError(f"where: {field}: expected one of {known}, got {shown(name)}{inside}")
    return handler(field, value)


def _value(field: str, value: object) -> str | float | None:
    if isinstance(value, list | tuple | set | frozenset):
        kind = type(cast("object", value)).__name__
        raise InputError(
            f"where: {field}: expected a text, number, true, false, None or date, got {kind}; "
            f"$in takes a list, and $contains asks what is in one"
        )
    return check_scalar(value, f"where: {field}")


def _any_of(field: str, values: Sequence[str | float | None], *, only: bool = False) -> Condition:
    """One of the values is there; with `only`, as an element of a list."""
    plain = [value for value in values if value is not None]
    dates = [value for value in plain if isinstance(value, str) and is_date(value)]
    tests = [equal_to(plain[0]) if len(plain) == 1 else among(plain)] if plain else []
    tests += [among_dates(dates)] if dates else []
    tests += [null()] if None in values else []
    parts = [holds(field, listed(test) if only else test) for test in tests]
    parts += [negated(exists(field))] if None in values and not only else []
    return replace(joined(parts, "OR", "0"), tests=1)


def _ordered(field: str, operator: str, value: object) -> Test:
    scalar = _value(field, value)
    if scalar is None:
        raise InputError(
            f"where: {field}: expected a number, a text or a date to compare with, got None"
        )
    if not isinstance(scalar, str):
        return number_ordered(operator, scalar)
    return date_ordered(operator, scalar) if is_date(scalar) else text_ordered(operator, scalar)


def _equals(field: str, value: object) -> Condition:
    return _any_of(field, [_value(field, value)])


def _contains(field: str, value: object) -> Condition:
    return _any_of(field, [_value(f"{field}: $contains", value)], only=True)


def _in(field: str, value: object) -> Condition:
    if not isinstance(value, list | tuple | set | frozenset):
        raise InputError(f"where: {field}: $in: expected a list, got {type(value).__name__}")
    items = [_value(f"{field}: $in", item) for item in cast("Sequence[object]", value)]
    if len(items) > _MAX_IN:
        raise InputError(f"where: {field}: $in: expected at most {_MAX_IN} values")
    return _any_of(field, items)


def _exists(field: str, value: object) -> Condition:
    flag = check_scalar(value, f"where: {field}: $exists")
    if not isinstance(flag, bool):
        raise InputError(f"where: {field}: $exists: expected true or false, got {shown(value)}")
    return exists(field) if flag else negated(exists(field))


def _negation(test: Callable[[str, object], Condition]) -> Callable[[str, object], Condition]:
    return lambda field, value: negated(test(field, value))


_TESTS: Mapping[str, Callable[[str, object], Condition]] = {
    "$eq": _equals,
    "$ne": _negation(_equals),
    "$in": _in,
    "$nin": _negation(_in),
    "$contains": _contains,
    "$not_contains": _negation(_contains),
    "$exists": _exists,
}
