"""Questions out of code: what its authors say of functions, and the code without it."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from edgeembed.ingest.readers.code.languages import language_of
from edgeembed.ingest.readers.code.outline import outline

_LEAST_WORDS = 5
# What is no library of its own, or is installed beside the standard library.
_OTHERS = (
    *("site-packages", "test", "tests", "idle_test", "lib2to3", "pydoc_data", "__pycache__"),
    *("testdata", "node_modules"),
)
_FUNCTIONS = ("function", "method")
# The comment that a function begins with, in languages with // and /* */.
_ABOVE = re.compile(r"\s*(?P<said>/\*\*?.*?\*/|(?://[^\n]*\n\s*)+)", re.DOTALL)
_MARKS = re.compile(r"^\s*(?:/\*+!?|\*+/|\*|//[/!]?)|\*+/\s*$", re.MULTILINE)
_TAGS = re.compile(r"</?\w+>|\{@\w+ ([^}]*)\}")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a function's author says first of it, and where it is."""

    text: str
    source: str
    symbol: str | None


def without_docstrings(source: str) -> tuple[str, list[tuple[str, str]]]:
    """A module's code without its docstrings; (symbol, first sentence) of its functions."""
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    found: list[tuple[str, str]] = []
    waiting: list[tuple[ast.AST, tuple[str, ...]]] = [(tree, ())]
    cuts: list[tuple[ast.Expr, bool]] = []
    while waiting:
        node, scopes = waiting.pop()
        name = getattr(node, "name", "")
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        inside = (*scopes, name) if name else scopes
        if isinstance(node, ast.Module | ast.ClassDef) or is_function:
            first = node.body[0] if node.body else None
            text = ast.get_docstring(node)
            if text and isinstance(first, ast.Expr):
                cuts.append((first, len(node.body) == 1))
                if is_function:
                    found.append((".".join(inside), first_sentence(text)))
        if not is_function:
            waiting += [(child, inside) for child in ast.iter_child_nodes(node)]
    for expression, alone in cuts:
        for number in range(expression.lineno - 1, expression.end_lineno or expression.lineno):
            lines[number] = ""
        if alone:
            lines[expression.lineno - 1] = " " * expression.col_offset + "...\n"
    return "".join(lines), found


def without_comments_above(name: str, source: str) -> tuple[str, list[tuple[str, str]]]:
    """The same of other languages, whose authors speak of a function in a comment above it."""
    language = language_of(name)
    if language is None or "/" not in source:
        return source, []
    data = source.encode()
    kept: list[bytes] = []
    found: list[tuple[str, str]] = []
    at = 0
    for part in outline(data, language):
        match = _ABOVE.match(data[part.start : part.end].decode("utf-8", "replace"))
        if part.kind not in _FUNCTIONS or not part.name or match is None:
            continue
        kept.append(data[at : part.start])
        at = part.start + len(match[0].encode())
        said = _TAGS.sub(r"\1", _MARKS.sub("", match["said"]))
        said = said.split("\n @")[0].strip()
        if said and not said.startswith("@"):
            # In Go, what is said of a function begins with its name, which would give it away.
            found.append((part.symbol, first_sentence(said).removeprefix(f"{part.name} ")))
    kept.append(data[at:])
    return b"".join(kept).decode("utf-8", "replace"), found


def first_sentence(docstring: str) -> str:
    """The first sentence of the first paragraph, in one line."""
    paragraph = " ".join(re.split(r"\n\s*\n", docstring.strip())[0].split())
    return paragraph.partition(". ")[0]


def copied(package: Path, folder: Path) -> list[Question]:
    """Write a package's code without what it says of its functions; return what that asks for.

    What is said of two functions is no question.
    """
    questions: list[Question] = []
    for path in sorted(package.rglob("*")):
        inner = path.relative_to(package)
        if any(part in _OTHERS for part in inner.parts) or not path.is_file():
            continue
        if language_of(path.name) is None or "_test." in path.name or ".test." in path.name:
            continue
        try:
            source = path.read_text(encoding="utf-8")
            if path.suffix == ".py":
                code, found = without_docstrings(source)
            else:
                code, found = without_comments_above(path.name, source)
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        target = folder / inner
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(code, encoding="utf-8")
        questions += [
            Question(text=text, source=str(target), symbol=symbol)
            for symbol, text in found
            if len(text.split()) >= _LEAST_WORDS
        ]
    texts = [question.text for question in questions]
    return [question for question in questions if texts.count(question.text) == 1]
