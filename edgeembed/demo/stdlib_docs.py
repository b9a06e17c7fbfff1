"""Docstrings of every function in the running interpreter's standard library.

Sources are parsed, not imported: importing a module may have side effects.
"""

import ast
import importlib
import inspect
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NOT_THESE = frozenset({"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages"})
# Written in C, so there is no source to parse; importing these has no side effects.
_C_MODULES = (
    "array", "binascii", "builtins", "cmath", "errno", "gc", "itertools", "marshal", "math",
    "select", "sys", "time", "unicodedata", "zlib",
)  # fmt: skip
_FIRST_CHARACTERS = 400
# Not the "S." of a signature in the docstrings of C: "S.strip() -> str. Return ...".
_FIRST_SENTENCE = re.compile(r".{20,}?[.!?](?=\s|$)")


@dataclass(frozen=True, kw_only=True)
class FunctionDoc:
    """A function or method: its qualified name, its docstring, and its module."""

    name: str
    text: str
    module: str

    @property
    def summary(self) -> str:
        """The first sentence of `text`: what the function is for, without the details."""
        found = _FIRST_SENTENCE.match(self.text, len(self.name) + 2)
        return self.text[: found.end()] if found else self.text


def stdlib_functions() -> Iterator[FunctionDoc]:
    """Yield every public documented function and method once, in a stable order."""
    seen: set[str] = set()
    for doc in (*_python_functions(), *_c_functions()):
        if doc.name not in seen:
            seen.add(doc.name)
            yield doc


def _python_functions() -> Iterator[FunctionDoc]:
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if any(part in _NOT_THESE or part.startswith("_") for part in parts if part != "__init__"):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError):  # templates, not code
            continue
        module = ".".join(part for part in parts if part != "__init__")
        yield from _functions_in(tree, module, module)


def _functions_in(node: ast.AST, module: str, prefix: str) -> Iterator[FunctionDoc]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from _functions_in(child, module, f"{prefix}.{child.name}")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(child)
            if text and not child.name.startswith("_"):
                yield _doc(f"{prefix}.{child.name}", text, module)


def _c_functions() -> Iterator[FunctionDoc]:
    for module in _C_MODULES:
        for name, member in inspect.getmembers(importlib.import_module(module)):
            if name.startswith("_"):
                continue
            if callable(member) and member.__doc__ and not inspect.isclass(member):
                yield _doc(f"{module}.{name}", member.__doc__, module)
            elif inspect.isclass(member):
                yield from _methods(member, f"{module}.{name}", module)


def _methods(kind: type, prefix: str, module: str) -> Iterator[FunctionDoc]:
    for name, member in vars(kind).items():
        text = getattr(member, "__doc__", None)
        if not name.startswith("_") and callable(member) and isinstance(text, str) and text:
            yield _doc(f"{prefix}.{name}", text, module)


def _doc(name: str, text: str, module: str) -> FunctionDoc:
    # The beginning says what it does; the rest would only blur the vector.
    first = " ".join(text.split())[:_FIRST_CHARACTERS]
    return FunctionDoc(name=name, text=f"{name}: {first}", module=module)
