"""A data set: documents of sections, queries, and which section answers which query."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

# The share of queries whose answers are removed to see whether a system notices.
ABSENT = 0.25
_JOINT = "\n\n"


@dataclass(frozen=True, kw_only=True)
class Section:
    """What can answer a query: the characters from `start` to `end` of a document's text."""

    key: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Document:
    """A text with a key, which is its path where it is a file, and sections in their order."""

    key: str
    text: str
    title: str = ""
    sections: tuple[Section, ...]

    def without(self, keys: frozenset[str]) -> "Document":
        """The document after cutting the sections in `keys`."""
        text, kept, position, cut = "", list[Section](), 0, 0
        for section in self.sections:
            if section.key in keys:
                text += self.text[position : section.start]
                position = section.end
                cut += section.end - section.start
            else:
                start, end = section.start - cut, section.end - cut
                kept.append(replace(section, start=start, end=end))
        return replace(self, text=text + self.text[position:], sections=tuple(kept))


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Documents, queries by id, and gains above 0 by query id and section key.

    Documents of kind "passages" are given to an index as they are, those of kind "files" are files
    that it has to cut. `multilingual` sets are only for encoders of many languages.
    """

    name: str
    kind: Literal["passages", "files"]
    documents: tuple[Document, ...]
    queries: Mapping[str, str]
    gains: Mapping[str, Mapping[str, float]]
    multilingual: bool = False

    def without(self, queries: Iterable[str]) -> "DataSet":
        """The data set less the sections that answer `queries`; documents left empty are gone."""
        keys = frozenset(key for query in queries for key in self.gains[query])
        cut = (document.without(keys) for document in self.documents)
        return replace(
            self,
            documents=tuple(document for document in cut if document.sections),
            gains={
                query: {key: gain for key, gain in gains.items() if key not in keys}
                for query, gains in self.gains.items()
            },
        )

    @cached_property
    def absent(self) -> frozenset[str]:
        """The seeded quarter of the queries whose answers are removed."""
        ids = sorted(self.queries)
        return frozenset(random.Random(7).sample(ids, round(ABSENT * len(ids))))

    @cached_property
    def document_gains(self) -> Mapping[str, Mapping[str, float]]:
        """Gains by query id and document key: that of the document's best section."""
        holders = {s.key: d.key for d in self.documents for s in d.sections}
        found: dict[str, dict[str, float]] = {}
        for query, gains in self.gains.items():
            own = found.setdefault(query, {})
            for key, gain in gains.items():
                own[holders[key]] = max(gain, own.get(holders[key], 0.0))
        return found

    @cached_property
    def places(self) -> Mapping[str, tuple[str, Section]]:
        """The document key and the section, by section key."""
        return {s.key: (d.key, s) for d in self.documents for s in d.sections}


def passage(key: str, text: str, title: str = "") -> Document:
    """A document that is one section, which has its key."""
    whole = Section(key=key, start=0, end=len(text))
    return Document(key=key, text=text, title=title, sections=(whole,))


def file_of(key: str, parts: Iterable[tuple[str, str, str]], *, headings: bool) -> Document:
    """A file of (section key, title, text) parts.

    A title is a Markdown heading, or else the first sentence of its paragraph.
    """
    text, sections = "", list[Section]()
    for section, title, body in parts:
        shown = f"## {title}\n\n{body}" if headings and title else f"{title} {body}".strip()
        sections.append(Section(key=section, start=len(text), end=len(text) + len(shown)))
        text += shown + _JOINT
    return Document(key=key, text=text, sections=tuple(sections))
