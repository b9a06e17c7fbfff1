"""Filters of Haystack as filters of an index.

Fields are `id` and `meta.NAME`, or a NAME of the metadata by itself. Its tests for order take
numbers and dates; a test with None finds nothing.
"""

from typing import Any

from edgeembed_runtime.arguments import shown
from edgeembed_runtime.errors import MissingExtraError
from edgeembed_runtime.index.base.dates import is_date

try:
    from haystack.errors import FilterError
except ModuleNotFoundError as _missing:
    raise MissingExtraError.for_extra("Haystack", "haystack-ai") from _missing

_EQUAL = {"==": "$eq", "!=": "$ne"}
_AMONG = {"in": "$in", "not in": "$nin"}
_ORDER = {">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte"}
_JOINED = {"AND": "$and", "OR": "$or"}


def where_of(filters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the filter of an index; None for all documents.

    Raises:
        FilterError: a key is missing, an operator is unknown, or a value does not suit it.
    """
    if not filters:
        return None
    return _test(filters) if "field" in filters else _joined(filters)


def _joined(filters: dict[str, Any]) -> dict[str, Any]:
    conditions = _part(filters, "conditions")
    operator = _part(filters, "operator")
    tests = [
        _test(each) if "operator" in each and "conditions" not in each else _joined(each)
        for each in conditions
    ]
    if operator == "NOT":
        return {"$not": {"$and": tests}}
    if operator not in _JOINED:
        raise FilterError(f"operator: expected AND, OR or NOT, got {shown(operator)}")
    return {_JOINED[operator]: tests}


def _test(condition: dict[str, Any]) -> dict[str, Any]:
    field, operator = _part(condition, "field"), _part(condition, "operator")
    value = _part(condition, "value")
    name = field if field == "id" or field.startswith("meta.") else f"meta.{field}"
    if operator in _EQUAL:
        return {name: {_EQUAL[operator]: value}}
    if operator in _AMONG:
        if not isinstance(value, list):
            raise FilterError(f"{field} {operator}: expected a list, got {shown(value)}")
        return {name: {_AMONG[operator]: value}}
    if operator not in _ORDER:
        known = ", ".join((*_EQUAL, *_AMONG, *_ORDER))
        raise FilterError(f"{field}: expected an operator of {known}, got {shown(operator)}")
    if value is None:
        return {"$and": [{name: {"$exists": True}}, {name: {"$exists": False}}]}
    if isinstance(value, list) or (isinstance(value, str) and not is_date(value)):
        raise FilterError(f"{field} {operator}: expected a number or a date, got {shown(value)}")
    return {name: {_ORDER[operator]: value}}


def _part(filters: dict[str, Any], name: str) -> Any:
    if name not in filters:
        raise FilterError(f"filters: expected {name!r}, got only {', '.join(filters) or 'nothing'}")
    return filters[name]
