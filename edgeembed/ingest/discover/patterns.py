"""Patterns of .gitignore files whose matching never takes long, whoever wrote them.

pathspec makes regular expressions of them, in which "*a*a*a*a*b" tries all ways to share a name
among the stars: a name of 60 letters takes years. What stands between two stars, or two "**", is
best taken where it comes first, and then never given back; so these ways need not be tried.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_STAR = r"\[\^/\]\*"
# An escaped character, "?", or any other that means itself; a set may hold a slash, and is none.
_ITSELF = r"(?:\\.|\[\^/\](?!\*)|[^\\/()\[\]{}*+?.^$|])"
_STARS = re.compile(f"(?:{_STAR})+")
_BETWEEN_STARS = re.compile(f"{_STAR}({_ITSELF}+)(?={_STAR})")
_FIRST, _FOLDERS = r"\(\?:\.\+/\)\?", r"\(\?:/\.\+\)\?"
_PATH = f"(?:{_ITSELF}|{_STAR}|/)+?"
_AFTER_FIRST = re.compile(f"{_FIRST}({_PATH})(?={_FOLDERS})")
_BETWEEN_FOLDERS = re.compile(f"{_FOLDERS}({_PATH})(?={_FOLDERS})")
# Sets are tried in all ways; with two they take milliseconds.
_TRIED = re.compile(f"{_STAR}{_ITSELF}*" r"\[(?!\^/\])" f"|{_FOLDERS}")
_MOST = 2


def compiled(patterns: Iterable[str]) -> "GitIgnoreSpec":
    """Compile patterns.

    Raises:
        ModuleNotFoundError: pathspec is not installed.
        ValueError: one has no meaning, or too many stars.
    """
    from pathspec import GitIgnoreSpec
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    def pattern(line: str) -> GitIgnoreSpecPattern:
        expression, include = GitIgnoreSpecPattern.pattern_to_regex(line)
        if expression is None:  # a comment
            return GitIgnoreSpecPattern(line)
        return GitIgnoreSpecPattern(re.compile(_linear(expression, line)), include)

    try:
        # Another engine may be installed, which has no groups that are never given back.
        return GitIgnoreSpec.from_lines(patterns, pattern, backend="simple")
    except re.error as error:
        raise ValueError(str(error)) from error


def _linear(expression: str, line: str) -> str:
    expression = _STARS.sub("[^/]*", expression)
    expression = _AFTER_FIRST.sub(r"(?>(?:.+?/)??\1(?=/))", expression)
    expression = _BETWEEN_FOLDERS.sub(r"(?>(?:/.+?)??\1(?=/))", expression)
    expression = _BETWEEN_STARS.sub(r"(?>[^/]*?\1)", expression)
    if len(_TRIED.findall(expression)) > _MOST:
        raise ValueError(f"expected at most {_MOST} sets in [ ] behind stars, got {line!r:.80}")
    return expression
