"""Word lists: analogy questions, and the target and attribute words of WEAT."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from edgeembed.evaluate.datasets.table import beginning_of_txt
from edgeembed.ingest.texts import read_json, read_lines
from edgeembed_runtime._internal.plain_files import open_plain_file
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import storage_errors


@dataclass(frozen=True, kw_only=True)
class Question:
    """a is to b as c is to d; and the section of the question."""

    section: str
    words: tuple[str, str, str, str]


@dataclass(frozen=True, kw_only=True)
class WordGroup:
    """Words and the concept they stand for."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AssociationTest:
    """Two groups of target words and two of attribute words."""

    name: str
    targets: tuple[WordGroup, WordGroup]
    attributes: tuple[WordGroup, WordGroup]


def is_analogies(path: Path) -> bool:
    """Whether a file is a .txt that starts with the name of a section."""
    return (beginning_of_txt(path) or b"").startswith(b":")


def is_json(path: Path) -> bool:
    """Whether a file is .json, as those of an association test are."""
    return path.suffix.lower() == ".json" and path.is_file()


def read_analogies(path: Path) -> tuple[Question, ...]:
    """Read questions, four words per line, in sections that start with lines like ": capitals".

    The format is that of questions-words.txt of https://arxiv.org/abs/1301.3781.

    Raises:
        InputError: a line does not have four words, or there is no question.
    """
    section, questions = "", list[Question]()
    with storage_errors("read", path), open_plain_file(path, follow_links=True) as stream:
        for number, line in read_lines(stream, str(path)):
            words = line.split()
            if line.startswith(":"):
                section = line.removeprefix(":").strip()
            elif len(words) == 4:
                questions.append(
                    Question(section=section, words=(words[0], words[1], words[2], words[3]))
                )
            elif words:
                raise InputError(f"{path}, line {number}: expected four words, got {len(words)}")
    if not questions:
        raise InputError(f"{path}: expected questions of four words, found none")
    return tuple(questions)


def read_association_test(path: Path) -> AssociationTest:
    """Read {"targets": {name: [words], name: [words]}, "attributes": {...}} from a .json file.

    Raises:
        InputError: it has another form.
    """
    tree = read_json(path)
    groups = [_two_groups(tree, key, path) for key in ("targets", "attributes")]
    return AssociationTest(name=path.stem, targets=groups[0], attributes=groups[1])


def _two_groups(tree: Any, key: str, path: Path) -> tuple[WordGroup, WordGroup]:
    found = cast(dict[str, Any], tree).get(key) if isinstance(tree, dict) else None
    if not isinstance(found, dict) or len(cast(dict[str, Any], found)) != 2:
        raise InputError(f"{path}: expected two lists of words by name in {key!r}")
    groups: list[WordGroup] = []
    for name, words in cast(dict[str, Any], found).items():
        if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
            raise InputError(f"{path}: expected a list of words in {key!r}, {name!r}")
        groups.append(WordGroup(name=name, words=tuple(cast(list[str], words))))
    return groups[0], groups[1]
