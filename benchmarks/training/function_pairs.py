"""What functions of Python's standard library say of themselves, and their code."""

import ast
import sysconfig
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.code.questions import first_sentence
from edgeembed import TrainingExample

_OTHERS = frozenset({"site-packages", "test", "tests", "idle_test", "lib2to3", "pydoc_data"})
_LEAST_WORDS, _CHARACTERS = 5, 1_000


@dataclass(frozen=True, kw_only=True)
class FunctionPairs:
    """Pairs to train on, and those of other modules to measure on; each text comes once."""

    train: list[TrainingExample]
    held_out: list[TrainingExample]


def function_pairs() -> FunctionPairs:
    """All pairs; a fifth of the modules, by their names' checksums, is held out."""
    root = Path(sysconfig.get_path("stdlib"))
    train: list[TrainingExample] = []
    held_out: list[TrainingExample] = []
    seen: set[str] = set()
    for path in sorted(root.rglob("*.py")):
        inner = path.relative_to(root)
        if _OTHERS.intersection(inner.parts):
            continue
        side = held_out if zlib.crc32(str(inner).encode()) % 5 == 0 else train
        for pair in _pairs(path):
            if seen.isdisjoint((pair.anchor, pair.positive)):
                seen.update((pair.anchor, pair.positive))
                side.append(pair)
    return FunctionPairs(train=train, held_out=held_out)


def _pairs(path: Path) -> Iterator[TrainingExample]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # templates, not code
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        text = ast.get_docstring(node)
        if not text or len(first_sentence(text).split()) < _LEAST_WORDS or len(node.body) < 2:
            continue
        node.body = node.body[1:]
        code = ast.unparse(node)[:_CHARACTERS]
        yield TrainingExample(anchor=first_sentence(text), positive=code)
