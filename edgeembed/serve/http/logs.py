"""Structured logs: a line for each request, without its texts and its key."""

import asyncio
import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from edgeembed.results.printable import one_line, printable_json

_WORD = re.compile(r"[!#-~]+")
_FLUSH_S = 0.2
_MAX_LINES = 10_000


class RequestLog:
    """Lines of requests to stderr, written a few times a second."""

    def __init__(self, kind: str) -> None:
        """`kind` is "json", "text" or "none"."""
        self._json = kind == "json"
        self._off = kind == "none"
        self._lines: list[bytes] = []
        self._scheduled = False

    def note(self, fields: Mapping[str, Any]) -> None:
        """Write a line about a request, soon."""
        if self._off:
            return
        if len(self._lines) < _MAX_LINES:
            self._lines.append(line_of("info", "request", fields, as_json=self._json))
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)

    def flush(self) -> None:
        """Write what was noted."""
        self._scheduled = False
        lines, self._lines = self._lines, []
        if lines:
            sys.stderr.write(b"".join(lines).decode("utf-8"))
            sys.stderr.flush()


class LineFormatter(logging.Formatter):
    """Records of Python's logging as the same lines."""

    def __init__(self, kind: str) -> None:
        """`kind` is "json" or "text"."""
        super().__init__()
        self._json = kind == "json"

    def format(self, record: logging.LogRecord) -> str:
        """One line, with the kind of an exception and the place where it was raised."""
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = _place(record.exc_info[1])
        line = line_of(record.levelname.lower(), record.getMessage(), fields, as_json=self._json)
        return line.decode("utf-8").rstrip("\n")


def line_of(level: str, message: str, fields: Mapping[str, Any], *, as_json: bool) -> bytes:
    """A line of the log."""
    now = time.time()
    if as_json:
        line = {"time": round(now, 3), "level": level, "message": message, **fields}
        return _harmless(msgspec.json.encode(line).decode("utf-8")) + b"\n"
    when = time.strftime("%H:%M:%S", time.localtime(now))
    words = " ".join(f"{name}={_word(value)}" for name, value in fields.items())
    return _harmless(f"{when} {level} {one_line(message)} {words}") + b"\n"


def _word(value: object) -> str:
    """A value as one word; in quotes, with escapes, where it could pass for more than one."""
    text = str(value)
    return text if _WORD.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _harmless(line: str) -> bytes:
    """A line in which nothing drives a terminal or begins another line."""
    return (line if line.isascii() else printable_json(line)).encode("utf-8", "replace")


def set_up_logging(kind: str) -> None:
    """Send the records of the server, and of what it is made of, to stderr as lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(kind))
    for name, level in (("edgeembed.serve", logging.INFO), ("uvicorn", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level)


def _place(error: BaseException) -> str:
    """Type and place of an exception; its words could have a text of a request in them."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
