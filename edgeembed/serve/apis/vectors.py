"""Vectors as answers carry them: numbers or base64, in the precision that was asked for."""

import base64
from collections.abc import Iterable
from typing import Any, Literal

from numpy.typing import NDArray

from edgeembed.serve.base.jobs import Embedded
from edgeembed_runtime.vectors import Precision, to_precision

NumberType = Literal["float", "int8", "uint8", "binary", "ubinary"]
"""What a component is; "binary" and "ubinary" pack eight into a byte."""


def need_ranges(kinds: Iterable[str]) -> bool:
    """Whether one of these types is 8-bit, for which a job must ask for ranges."""
    return not {"int8", "uint8"}.isdisjoint(kinds)


def in_type(found: Embedded, kind: NumberType) -> NDArray[Any]:
    """The vectors in this type, just as `Encoder.encode(precision=...)` gives them.

    Raises:
        InputError: the bits of a vector do not fill bytes.
    """
    precision: Precision = "float32" if kind == "float" else kind
    return to_precision(found.vectors, precision, found.ranges)


def in_base64(rows: NDArray[Any]) -> list[str]:
    """Each row's bytes, little-endian, as base64."""
    little = rows.astype(rows.dtype.newbyteorder("<"), copy=False)
    return [base64.b64encode(row.tobytes()).decode("ascii") for row in little]
