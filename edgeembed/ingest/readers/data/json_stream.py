"""JSON values out of a long text, one by one, with the lines that they are on."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from edgeembed_runtime.errors import InputError

_SPACE = " \t\r\n\ufeff"
# An error this close to the end of what is read so far may be one of a value that goes on.
_NEAR = 16


class JsonStream:
    """Takes values from the front of a text that comes in pieces; holds one of them at a time."""

    def __init__(self, pieces: Iterable[str], limit: int) -> None:
        """Start before the first value; none may have more than `limit` characters."""
        self._pieces = iter(pieces)
        self._limit = limit
        self._text, self._at = "", 0
        self._ended = False
        self._counted, self._line = 0, 1
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is no white space; "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._grow(1):
                return ""

    def skip(self) -> None:
        """Take the character that `peek` showed."""
        self._at += 1

    @property
    def line(self) -> int:
        """The line of the next character, from 1."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def value(self) -> Any:
        """Take the value that begins at the next character.

        Raises:
            InputError: it is no JSON, or too long.
        """
        while True:
            length = len(self._text) - self._at
            try:
                found, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise InputError("expected JSON: too many levels") from error
            except json.JSONDecodeError as error:
                problem = error
                is_open = error.pos >= len(self._text) - _NEAR or error.msg.startswith(
                    "Unterminated"
                )
                if not is_open or self._ended:
                    raise InputError(f"expected JSON: {problem.msg}") from problem
            except ValueError as error:  # more digits than Python takes
                raise InputError(f"expected JSON: {str(error).partition(';')[0]}") from error
            else:
                # A number may go on.
                if end < len(self._text) or self._ended:
                    self._at = end
                    return found
            if length > self._limit:
                raise InputError(f"expected at most {self._limit} characters in a value, got more")
            # As much again: then reading it again and again costs twice as much as once.
            self._grow(max(length, 1))

    def items(self) -> Iterator[tuple[int, Any]]:
        """Take the values of the array that begins at the next character, with their lines.

        Raises:
            InputError: see `value`; the rest of the text is then unknown.
        """
        self.skip()
        while (mark := self.peek()) != "]":
            if mark == ",":
                self.skip()
                self.peek()
            line = self.line
            yield line, self.value()
            if self.peek() not in (",", "]"):
                raise InputError("expected JSON: Expecting ',' delimiter")
        self.skip()

    def _grow(self, count: int) -> bool:
        """Read at least `count` more characters, and forget what was taken; False at the end."""
        self._line += self._text.count("\n", self._counted, self._at)
        parts, size = [self._text[self._at :]], 0
        while size < count and (piece := next(self._pieces, "")):
            parts.append(piece)
            size += len(piece)
        self._text, self._at, self._counted = "".join(parts), 0, 0
        self._ended = size < count
        return size > 0
