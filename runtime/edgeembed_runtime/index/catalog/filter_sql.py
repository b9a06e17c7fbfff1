"""SQL of metadata filters: what one test asks of the places that a field's name means.

Every expression here is 0 or 1, never NULL, so that NOT, AND and OR mean what they say. Everything
from the caller is a bound value.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edgeembed_runtime.index.base.validation import MAX_METADATA_DEPTH

_DOCUMENT = "doc.meta_json"
# Bound as JSON and extracted by SQLite, so that the same parser reads both sides of a comparison:
# the last digit of a float can differ from Python's.
_WANTED = "json_extract(?, '$')"
_IS_SCALAR = "e.type NOT IN ('array', 'object')"
# SQLite reads "now", times without a day and plain numbers as dates, and February 30 as March 1.
_IS_DATE = (
    "e.value GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"
    " AND date(substr(e.value, 1, 10)) = substr(e.value, 1, 10)"
)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A SQL expression that is 0 or 1 for a row of `doc`, and its bound values in order."""

    sql: str
    values: tuple[str, ...]
    tests: int = 1
    """How many tests of a field it consists of."""


EVERY_ROW = Condition(sql="1", values=(), tests=0)


@dataclass(frozen=True, kw_only=True)
class Test:
    """What is asked of a value, or of each element where the value is a list."""

    element: str
    """SQL on an element's e.type and e.value."""
    scalar: str
    """The other arms of a CASE over the value's type; `{value}` is the value."""
    values: tuple[str, ...] = ()
    """What both of them bind."""


def joined(parts: Sequence[Condition], operator: str, empty: str) -> Condition:
    """Join conditions by AND or OR; `empty` is what none of them are."""
    if not parts:
        return Condition(sql=empty, values=(), tests=0)
    return Condition(
        sql="(" + f" {operator} ".join(f"({part.sql})" for part in parts) + ")",
        values=tuple(value for part in parts for value in part.values),
        tests=sum(part.tests for part in parts),
    )


def negated(part: Condition) -> Condition:
    """Whatever does not meet a condition."""
    return replace(part, sql=f"NOT ({part.sql})")


def equal_to(value: str | float) -> Test:
    """The value is this text, number, true or false."""
    return _scalar(f"= {_WANTED}", value)


def among(values: Sequence[str | float]) -> Test:
    """The value is one of these."""
    return _scalar("IN (SELECT value FROM json_each(?))", values)


def null() -> Test:
    """The value is null."""
    return Test(element="e.type = 'null'", scalar="WHEN 'null' THEN 1 ELSE 0")


def among_dates(texts: Sequence[str]) -> Test:
    """The value is a date, at the same instant as one of these."""
    return _date("IN (SELECT julianday(value) FROM json_each(?))", texts)


def date_ordered(operator: str, text: str) -> Test:
    """The value is a date that is before or behind this one."""
    return _date(f"{operator} julianday({_WANTED})", text)


def text_ordered(operator: str, text: str) -> Test:
    """The value is a text that is before or behind this one, by their bytes in UTF-8."""
    return Test(
        element=f"e.type = 'text' AND e.value {operator} {_WANTED}",
        scalar=f"WHEN 'text' THEN {{value}} {operator} {_WANTED} ELSE 0",
        values=(_json(text),),
    )


def number_ordered(operator: str, number: float) -> Test:
    """The value is a number, true or false that is below or above this one."""
    return Test(
        element=f"e.type IN ('integer', 'real', 'true', 'false') AND e.value {operator} {_WANTED}",
        scalar=(
            "WHEN 'text' THEN 0 WHEN 'object' THEN 0"
            f" ELSE coalesce({{value}} {operator} {_WANTED}, 0)"
        ),
        values=(_json(number),),
    )


def listed(test: Test) -> Test:
    """The value is a list, and an element passes the test."""
    return replace(test, scalar="ELSE 0")


def holds(field: str, test: Test) -> Condition:
    """A value at some place that a field's name means passes the test."""

    def case(node: str, path: str) -> Condition:
        scalar = test.scalar.format(value=f"json_extract({node}, ?)")
        extracted = (path, *test.values) if scalar != test.scalar else ()
        return Condition(
            sql=(
                f"CASE json_type({node}, ?) WHEN 'array' THEN EXISTS"
                f" (SELECT 1 FROM json_each({node}, ?) AS e WHERE {test.element}) {scalar} END"
            ),
            values=(path, path, *test.values, *extracted),
        )

    return _somewhere(field, case)


def exists(field: str) -> Condition:
    """There is something, perhaps a null, at some place that a field's name means."""
    return _somewhere(
        field,
        lambda node, path: Condition(sql=f"json_type({node}, ?) IS NOT NULL", values=(path,)),
    )


def _scalar(comparison: str, wanted: object) -> Test:
    return Test(
        element=f"{_IS_SCALAR} AND e.value {comparison}",
        scalar=f"WHEN 'object' THEN 0 ELSE coalesce({{value}} {comparison}, 0)",
        values=(_json(wanted),),
    )


def _date(comparison: str, wanted: object) -> Test:
    meets = f"{_IS_DATE} AND julianday(e.value) {comparison}"
    one = "(SELECT {value} AS value) AS e"
    return Test(
        element=f"e.type = 'text' AND {meets}",
        scalar=f"WHEN 'text' THEN EXISTS (SELECT 1 FROM {one} WHERE {meets}) ELSE 0",
        values=(_json(wanted),),
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _somewhere(field: str, asked: Callable[[str, str], Condition]) -> Condition:
    """What is asked of (JSON, path), for each place that the field's name means.

    "a.b" is the key "a.b"; the key "b" in the object "a"; and the same in each object of a list.
    """
    names = field.split(".")
    places = [asked(_DOCUMENT, _path(field))]
    if 1 < len(names) <= MAX_METADATA_DEPTH and all(names):
        places += [asked(_DOCUMENT, _path(*names)), _in_lists(names, asked)]
    return replace(joined(places, "OR", "0"), tests=1)


def _in_lists(names: Sequence[str], asked: Callable[[str, str], Condition]) -> Condition:
    node, steps, values = _DOCUMENT, list[str](), list[str]()
    for depth, name in enumerate(names[:-1]):
        steps.append(
            f"json_each(CASE json_type({node}, ?) WHEN 'array' THEN json_extract({node}, ?)"
            f" WHEN 'object' THEN json_array(json_extract({node}, ?)) END) AS s{depth}"
        )
        values += [_path(name)] * 3
        node = f"CASE s{depth}.type WHEN 'object' THEN s{depth}.value END"
    last = asked(node, _path(names[-1]))
    return Condition(
        sql=f"EXISTS (SELECT 1 FROM {', '.join(steps)} WHERE {last.sql})",
        values=(*values, *last.values),
    )


def _path(*names: str) -> str:
    return "$" + "".join(f'."{name}"' for name in names)
