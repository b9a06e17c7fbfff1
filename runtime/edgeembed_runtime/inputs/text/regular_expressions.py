r"""Regular expressions whose time grows with the length of the text, and no faster.

The tokenizers library matches by backtracking, without a limit: `(a+)+b` takes years, and `a+b` a
square of the length. An expression is safe if nothing that can fail follows a repetition without
end, so that there is nothing to go back for. Real tokenizers' are, but for a few phrases that many
of them share; these are known, and safe because of what comes after them.
"""

import re
from typing import NamedTuple

_MAX_LENGTH, _MAX_REPEATS, _MAX_CHOICES, _MAX_DEPTH = 4096, 1_000, 10_000, 16
# Phrases of many real tokenizers that go back, and the alternative after them that then takes what
# they went back over; without it, a text of nothing else would take the square of its length.
_LETTERS = (
    r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}\p{Han}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}\p{Han}]+",
    r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+",
)
_SPACES = (r"\s*[\r\n]+", "\\s*[\r\n]+", r"\s*[\r\n/]+", r"\s*[\r\n]")
# Of these the part that goes back is one character.
_ENDS = (r"\s+(?!\S)", r"\s++(?!\S)")
_KNOWN = (
    *((phrase, r"\p{L}+", f"{phrase[:-1].replace(']*[', ']+[')}*") for phrase in _LETTERS),
    *((phrase, r"\s+", "|\\s+") for phrase in _SPACES),
    *((phrase, r"\s+", "") for phrase in _ENDS),
)
_REPEAT = re.compile(r"[*+?]|\{(\d*)(,?)(\d*)\}")
_GROUP = re.compile(r"\((?:\?(?:[im]*(?:-[im]*)?)?:)?(?!\?)")
_LOOK = re.compile(r"\(\?<?[=!]")
_ESCAPE = re.compile(
    r"\\(?:[pP]\{\^?[A-Za-z_ ]+\}|x\{[0-9A-Fa-f]{1,6}\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}"
    r"|[^1-9kgxupPXRKG])",
    re.DOTALL,
)


class _Piece(NamedTuple):
    """What was read: whether it may be empty, whether it repeats (or must not), and endlessly."""

    empty: bool
    repeats: bool
    endless: bool


class _RefusedError(Exception):
    """Says why."""


def check_regex(pattern: str) -> str | None:
    """Return what makes a regular expression unsafe, or None."""
    if len(pattern) > _MAX_LENGTH:
        return f"{len(pattern)} characters"
    whole = pattern
    for phrase, plain, rescue in _KNOWN:
        if rescue in whole:
            pattern = pattern.replace(phrase, plain)
    try:
        reader = _Reader(pattern)
        reader.alternatives(0)
        return None if reader.at == len(pattern) else "a parenthesis too many"
    except _RefusedError as refused:
        return str(refused)


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern, self.at = pattern, 0
        self.repeats, self.choices = 0, 1

    def alternatives(self, depth: int) -> _Piece:
        if depth > _MAX_DEPTH:
            raise _RefusedError("groups in each other")
        branches = [self._branch(depth)]
        while self._next("|"):
            if depth == 0:
                self.choices = 1
            branches.append(self._branch(depth))
        if depth > 0:
            self._choose(len(branches))
        return _Piece(*(any(branch[place] for branch in branches) for place in range(3)))

    def _branch(self, depth: int) -> _Piece:
        whole = _Piece(empty=True, repeats=False, endless=False)
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            piece = self._repeated(self._atom(depth))
            if whole.endless and not piece.empty:
                raise _RefusedError("a repetition without end, with more after it")
            whole = _Piece(
                whole.empty and piece.empty,
                whole.repeats or piece.repeats,
                whole.endless or piece.endless,
            )
        return whole

    def _atom(self, depth: int) -> _Piece:
        one = _Piece(empty=False, repeats=False, endless=False)
        character = self.pattern[self.at]
        if look := _LOOK.match(self.pattern, self.at):
            self.at = look.end()
            if self.alternatives(depth + 1).repeats or not self._next(")"):
                raise _RefusedError("a look ahead or behind that repeats")
            return _Piece(empty=False, repeats=True, endless=False)
        if character == "(":
            group = _GROUP.match(self.pattern, self.at)
            if group is None:
                raise _RefusedError("a group of a special kind")
            self.at = group.end()
            piece = self.alternatives(depth + 1)
            if not self._next(")"):
                raise _RefusedError("a parenthesis too few")
            return piece
        if character == "[":
            self._class(0)
            return one
        if character == "\\":
            self._escape()
            return one
        if character in "*+?{":
            raise _RefusedError("a repetition of nothing")
        self.at += 1
        return one if character not in "^$" else _Piece(empty=False, repeats=True, endless=False)

    def _repeated(self, piece: _Piece) -> _Piece:
        found = _REPEAT.match(self.pattern, self.at)
        if found is None:
            return piece
        self.at = found.end()
        if piece.repeats:
            raise _RefusedError("a repetition in a repetition")
        least, most = _bounds(found)
        self.repeats += most or 1
        if self.repeats > _MAX_REPEATS or (most is not None and most < least):
            raise _RefusedError(f"more than {_MAX_REPEATS} repetitions")
        self._choose(1 if most is None else most - least + 1)
        if found[0][0] != "{" and self.at < len(self.pattern) and self.pattern[self.at] in "+?":
            self.at += 1  # possessive, or as few as possible
        if _REPEAT.match(self.pattern, self.at):
            raise _RefusedError("a repetition of a repetition")
        return _Piece(piece.empty or least == 0, repeats=most != 1, endless=most is None)

    def _choose(self, ways: int) -> None:
        """Multiply the ways that a branch can go, and go back for."""
        self.choices *= ways
        if self.choices > _MAX_CHOICES:
            raise _RefusedError(f"more than {_MAX_CHOICES} ways to match")

    def _class(self, depth: int) -> None:
        """Skip a set of characters; sets may be in it."""
        if depth > _MAX_DEPTH:
            raise _RefusedError("sets in each other")
        self.at += 1
        self._next("^")
        first = True
        while first or not self._next("]"):
            if first and self.pattern[self.at : self.at + 1] == "]":
                raise _RefusedError("an empty set")
            if self.at >= len(self.pattern):
                raise _RefusedError("a set without an end")
            if self.pattern[self.at] == "[":
                self._class(depth + 1)
            elif self.pattern[self.at] == "\\":
                self._escape()
            else:
                self.at += 1
            first = False

    def _escape(self) -> None:
        found = _ESCAPE.match(self.pattern, self.at)
        if found is None:
            raise _RefusedError("a reference, or an escape of a special kind")
        self.at = found.end()

    def _next(self, character: str) -> bool:
        if self.pattern[self.at : self.at + 1] != character:
            return False
        self.at += 1
        return True


def _bounds(repeat: re.Match[str]) -> tuple[int, int | None]:
    match repeat[0]:
        case "*":
            return 0, None
        case "+":
            return 1, None
        case "?":
            return 0, 1
        case _:
            if not repeat[1] and not repeat[3]:
                raise _RefusedError("a repetition without a number")
            least = int(repeat[1] or 0)
            if not repeat[2]:
                return least, least
            return least, int(repeat[3]) if repeat[3] else None
