"""Typed reading of a JSON tree; errors name the path of the invalid value."""

import math
import typing
from typing import Any

from edgeembed_runtime.bundle.validation import expect
from edgeembed_runtime.errors import BundleCorruptError

_EXACT_IN_A_FLOAT = 1 << 53
_REQUIRED: Any = object()


class JsonNode:
    """A JSON object that knows its path. Every method raises BundleCorruptError on a mismatch."""

    def __init__(self, value: object, path: str) -> None:
        """Wrap `value`, which must be an object."""
        expect(isinstance(value, dict), path or "top level", "an object", value)
        self.value = typing.cast(dict[str, Any], value)
        self._path = path

    def get(self, key: str, kind: type, default: Any = _REQUIRED) -> Any:
        """Return the value at a key, of exactly this type; integers are accepted as floats."""
        value = self.value.get(key, default)
        if value is _REQUIRED:
            raise BundleCorruptError(
                f"manifest: {self._at(key)}: expected {kind.__name__}, got nothing"
            )
        if value is default:
            return default
        if kind is float and type(value) is int:
            value = float(value) if abs(value) < _EXACT_IN_A_FLOAT else math.inf
        valid = type(value) is kind and (kind is not float or math.isfinite(value))
        expect(valid, self._at(key), kind.__name__, value)
        return value

    def optional(self, key: str, kind: type) -> Any:
        """Return the value at a key, or None if it is missing or null."""
        return None if self.value.get(key) is None else self.get(key, kind)

    def list_of(self, key: str, kind: type) -> tuple[Any, ...]:
        """Return a list of values of one type as a tuple; empty if missing."""
        values = self.get(key, list, [])
        valid = all(type(value) is kind for value in values)
        expect(valid, self._at(key), f"a list of {kind.__name__}", values)
        return tuple(values)

    def tuple_of(self, key: str, kind: type, length: int, default: Any = _REQUIRED) -> Any:
        """Return a list of exactly `length` values of one type as a tuple."""
        if default is not _REQUIRED and key not in self.value:
            return default
        values = [
            JsonNode({key: value}, self._path).get(key, kind) for value in self.get(key, list)
        ]
        expect(len(values) == length, self._at(key), f"{length} numbers", values)
        return tuple(values)

    def has(self, key: str) -> bool:
        """Return whether the key is present."""
        return key in self.value

    def child(self, key: str) -> "JsonNode":
        """Return the object at a key."""
        return JsonNode(self.get(key, dict), self._at(key))

    def optional_child(self, key: str) -> "JsonNode | None":
        """Return the object at a key, or None if it is missing or null."""
        return None if self.value.get(key) is None else self.child(key)

    def children(self, key: str) -> list["JsonNode"]:
        """Return the list of objects at a key."""
        return [
            JsonNode(item, f"{self._at(key)}[{i}]") for i, item in enumerate(self.get(key, list))
        ]

    def map_of(self, key: str, kind: type) -> dict[str, Any]:
        """Return an object whose values have one type; empty if missing."""
        node = JsonNode(self.get(key, dict, {}), self._at(key))
        return {name: node.get(name, kind) for name in node.value}

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key
