"""A folder like a laptop's: files of 28 kinds, most beside the point, some with an answer."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from random import Random

from benchmarks.laptop.facts import Fact, all_facts
from benchmarks.laptop.writers import WRITERS, Document, Place, Section

_FOLDERS = (
    "home",
    "family/letters",
    "travel/2023",
    "travel/2024",
    "work/suppliers",
    "work/minutes",
)
_PEOPLE = ("J. Weber", "M. Rossi", "A. Silva", "K. Tanaka")
_SHORT, _LONG = 200, 900


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question, the file with its answer, and where in it that stands."""

    fact: Fact
    file: str
    place: Place


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A folder, every file in it, and what to ask."""

    folder: Path
    files: tuple[str, ...]
    asked: tuple[Asked, ...]


def make_corpus(folder: Path, *, files: int = 2000, questions: int = 200, seed: int = 0) -> Corpus:
    """Write the files; the same for the same numbers.

    Facts that nobody asks for, about others, stand in other files.
    """
    rng, facts = Random(seed), all_facts(seed)
    filler = _paragraphs()
    with_fact = dict(zip(rng.sample(range(files), min(files, len(facts))), facts, strict=False))
    names: list[str] = []
    asked: list[Asked] = []
    for number in range(files):
        kind = list(WRITERS)[number % len(WRITERS)]
        fact = with_fact.get(number)
        title = f"{fact.topic if fact else rng.choice(facts).topic} {number}"
        sections = [
            Section(
                heading=rng.choice(("Notes", "Details", "Background", "Summary", "History", "Open"))
                + f" {index + 1}",
                paragraphs=tuple(rng.sample(filler, rng.randint(1, 4))),
            )
            for index in range(rng.randint(2, 6))
        ]
        at = rng.randrange(len(sections))
        if fact:
            # A section is about one thing, as people write: its own, or the fact's.
            sections[at] = Section(
                heading=sections[at].heading, paragraphs=(fact.context, fact.sentence)
            )
        date = f"20{rng.randint(15, 25)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
        document = Document(
            title=title, author=rng.choice(_PEOPLE), date=date, sections=tuple(sections)
        )
        name = f"{rng.choice(_FOLDERS)}/{title.lower().replace(' ', '-')}.{kind}"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        places = WRITERS[kind](path, document)
        names.append(name)
        if fact and len(asked) < questions:
            asked.append(Asked(fact=fact, file=name, place=places[at]))
    return Corpus(folder=folder, files=tuple(names), asked=tuple(asked))


def _paragraphs() -> list[str]:
    """Prose on one line each: the topics of Python's own help."""
    found: list[str] = []
    for text in topics.values():
        for part in textwrap.dedent(text).split("\n\n"):
            line = " ".join(part.split())
            plain = line.isascii() and not set("\\{}|<>`*") & set(line)
            if _SHORT < len(line) < _LONG and plain:
                found.append(line)
    return sorted(set(found))
