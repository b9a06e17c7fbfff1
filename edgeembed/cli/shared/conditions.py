"""`--where`: a filter on metadata, as one types it: lang=en, date>=2024-01-01; or as JSON."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, cast

import typer

from edgeembed_runtime.errors import InputError

Where = Annotated[
    list[str] | None,
    typer.Option(
        help="Metadata filter: lang=en, year!=2020, 'date>=2024-01-01', tags=lisbon, "
        'author.name=Ann; or JSON: \'{"lang": "en"}\'. Repeatable: all must hold.'
    ),
]
_OPERATORS = {
    "=": "$eq",
    "==": "$eq",
    "!=": "$ne",
    ">": "$gt",
    ">=": "$gte",
    "<": "$lt",
    "<=": "$lte",
}
_SHORT = re.compile(r"\s*([^=!<>]+?)\s*(!=|>=|<=|==|=|>|<)\s*(.*?)\s*", re.DOTALL)
_EXAMPLES = "lang=en, 'date>=2024-01-01' or JSON such as '{\"lang\": \"en\"}'"


def filter_of(texts: Sequence[str] | None) -> dict[str, Any] | None:
    """The filter that all values of --where make together, for Index.search; None without any.

    Raises:
        InputError: one is neither NAME, operator and VALUE nor a JSON object.
    """
    filters = [_condition(text) for text in texts or ()]
    return {"$and": filters} if len(filters) > 1 else next(iter(filters), None)


def _condition(text: str) -> dict[str, Any]:
    if text.lstrip()[:1] in ("{", "["):
        return _json_object(text)
    short = _SHORT.fullmatch(text)
    if short is None:
        raise InputError(f"where: expected {_EXAMPLES}, got {text!r:.100}")
    name, operator, value = short.groups()
    if not value and operator not in ("=", "==", "!="):
        raise InputError(f"where: expected a value after {operator}, got {text!r:.100}")
    return {name: {_OPERATORS[operator]: _value(value, text)}}


def _value(value: str, text: str) -> str | float | None:
    """A number, true, false or null; a text in quotes, or any other text as it is."""
    if value[:1] == "'":
        if len(value) < 2 or value[-1] != "'":
            raise InputError(f"where: expected a quote at the end, got {text!r:.100}")
        return value[1:-1]
    try:
        found = json.loads(value, parse_constant=_no_number)
    except (ValueError, RecursionError):
        if value[:1] == '"':
            raise InputError(f"where: expected a text in quotes, got {text!r:.100}") from None
        return value
    return value if isinstance(found, dict | list) else found


def _no_number(name: str) -> float:
    raise ValueError(name)  # "NaN" and "Infinity" are no JSON


def _json_object(text: str) -> dict[str, Any]:
    try:
        condition = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f'where: expected JSON such as \'{{"lang": "en"}}\': {error}') from error
    if not isinstance(condition, dict):
        raise InputError(f"where: expected a JSON object, got {type(condition).__name__}")
    return cast(dict[str, Any], condition)
