"""Values that nobody should pass, and somebody will."""

import enum
import math
from collections import UserDict
from fractions import Fraction

import numpy as np


class Text(str):
    """A text with its own ideas."""

    def __str__(self):
        return "other"

    def encode(self, *_):
        return b"other"

    def strip(self, *_):
        return ""


class Color(str, enum.Enum):  # noqa: UP042 (a StrEnum shows itself as its value)
    """A text by another name."""

    RED = "a"


class Unshowable:
    """Cannot be shown in a message."""

    def __repr__(self):
        raise RuntimeError("no")


class Pathlike:
    """A path to something else than a text."""

    def __fspath__(self):
        return b"x"


def _nested(kind, levels):
    value = kind()
    for _ in range(levels):
        value = {"a": value} if kind is dict else [value]
    return value


def _cyclic():
    listed, named = [], {}
    listed.append(listed)
    named["a"] = named
    return listed, named


def odd_values():
    """Each by a name; made afresh, because some can be read once."""
    cyclic_list, cyclic_dict = _cyclic()
    return {
        "None": None,
        "True": True,
        "0": 0,
        "-1": -1,
        "2**31": 2**31,
        "2**63": 2**63,
        "2**70": 2**70,
        "10**400": 10**400,
        "-10**5000": -(10**5000),
        "-0.0": -0.0,
        "nan": math.nan,
        "inf": math.inf,
        "1e308": 1e308,
        "1e-320": 1e-320,
        "fraction": Fraction(1, 3),
        "complex": 1j,
        "np.int64": np.int64(3),
        "np.float32": np.float32(0.5),
        "np.float16 inf": np.float16("inf"),
        "np.bool": np.bool_(True),
        "np.str": np.str_("a"),
        "np.datetime": np.datetime64("2020-01-01"),
        "array of no dimensions": np.array(1.0),
        "array": np.ones(3),
        "array of texts": np.array(["a", "b"]),
        "array of objects": np.array([1, None], object),
        "longdouble": np.full(4, np.longdouble("1e4000")),
        "empty text": "",
        "text": "a",
        "blank text": " \n",
        "NUL": "a\0b",
        "lone surrogate": "\ud800",
        "surrogate of a byte": "\udcff",
        "control characters": "\x1b[31m\r",
        "long text": "ab " * 5000,
        "text subclass": Text("a"),
        "enum": Color.RED,
        "bytes": b"a",
        "bytearray": bytearray(b"a"),
        "memoryview": memoryview(b"abc"),
        "empty list": [],
        "list": ["a"],
        "list of odd": [None, 1, "\ud800"],
        "list of lists": [[1], [1, 2]],
        "tuple": ("a", "b"),
        "set": {"a"},
        "empty dict": {},
        "dict": {"a": 1},
        "dict of odd": {"\ud800": "\ud800"},
        "dict of huge": {"a": 10**400},
        "dict with number": {1: 2},
        "UserDict": UserDict(a=1),
        "generator": (each for each in ["a"]),
        "range": range(10**12),
        "cyclic list": cyclic_list,
        "cyclic dict": cyclic_dict,
        "deep list": _nested(list, 500),
        "deep dict": _nested(dict, 500),
        "object": object(),
        "unshowable": Unshowable(),
        "path of bytes": Pathlike(),
        "class": dict,
        "function": len,
        "module": math,
    }
