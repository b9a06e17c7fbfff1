"""Text made harmless: it cannot drive a terminal or turn a line around."""

import itertools
import re

_REPLACEMENT = "\ufffd"
_LINE_ENDS = "\x0b\x0c\x85\u2028\u2029"
# Embeddings, overrides and isolates; left open, they reorder what follows the text.
_BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_INVISIBLE = "\u200b"
_LEAST_LINE, _LEAST_SPACES = 50, 6
_TEXT_START = re.compile(r"[^\W\d_]|[(\"'“‘]\w|\[\w|`[^`]")


def _table() -> dict[int, str]:
    table = {code: chr(0x2400 + code) for code in range(0x20)}  # the pictures of control codes
    table |= {0x7F: "\u2421", ord("\r"): " "}
    table |= dict.fromkeys((*range(0x80, 0xA0), *range(0xD800, 0xE000)), _REPLACEMENT)
    table |= dict.fromkeys(map(ord, _LINE_ENDS), "\n")
    table |= dict.fromkeys(map(ord, _BIDI), _INVISIBLE)
    del table[ord("\n")], table[ord("\t")]
    return table


_TABLE = _table()
# Of JSON: what printable() would change, but for the line feeds between values.
_ESCAPED = re.compile(
    "["
    + re.escape("".join(map(chr, (code for code in _TABLE if code != 0x0D and code >= 0x20))))
    + "]"
)


def printable(text: str) -> str:
    """The text without control characters, of the same length; only line feeds and tabs stay."""
    return text.translate(_TABLE)


def printable_json(text: str) -> str:
    """The same JSON document, in which what could drive a terminal is escaped."""
    # In JSON that is written by a library, characters below a space are escaped already.
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """The text as printable() gives it, on one line, with single spaces."""
    return " ".join(printable(text).split())


def unwrapped(text: str) -> str:
    """The text with lines joined that were only wrapped, of the same length; code stays as it is.

    A line of prose is long and has many words. The next one goes on with it if it starts like text
    and not like an item, a table, a heading or code.
    """
    lines = text.split("\n")
    parts = [lines[0]]
    code = False
    for line, following in itertools.pairwise(lines):
        code ^= line.lstrip().startswith("```")
        wrapped = len(line) >= _LEAST_LINE and line.count(" ") >= _LEAST_SPACES
        goes_on = _TEXT_START.match(following) is not None
        parts += [" " if wrapped and goes_on and not code else "\n", following]
    return "".join(parts)
