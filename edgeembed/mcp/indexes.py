"""The indexes that an assistant may ask: searched, compared and read, never written.

No file is opened but those of the indexes: what an assistant reads is what was indexed.
"""

import dataclasses
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeembed.ingest.readers.base.places import joined_text, place_of
from edgeembed.ingest.second_stage import DEPTH
from edgeembed.ingest.sources import read_memory
from edgeembed.results.answers import Answer, answers_of
from edgeembed.results.passages_at import passages_at
from edgeembed.results.printable import printable
from edgeembed.search.opened import OpenedIndex
from edgeembed.search.seen_vectors import keeps_vectors
from edgeembed.search.settings import SearchSettings
from edgeembed.search.shared_encoders import SharedEncoders
from edgeembed.upkeep.status import status_of
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.index.base.reranker import profile_of

MAX_RESULTS = 50
_MAX_TEXT = 2000
_MAX_READ = 20_000


@dataclass(frozen=True, kw_only=True)
class Result:
    """A passage that was found.

    Attributes:
        place: where it is: a file with its line, page or the like; what `read` and `similar` take.
        score: higher is better; only comparable within one answer.
        likelihood: how likely it is what was asked for: likely, possible or unlikely; "" where
            that is not known.
        text: the passage.
        symbol: of source code, the full name of the function or class.
        language: of source code.
        also_in: where the same text is, too.
    """

    place: str
    score: float
    likelihood: str
    text: str
    symbol: str
    language: str
    also_in: list[str]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A stretch of a file as it was indexed."""

    place: str
    text: str
    more: bool
    """Whether there is more behind it."""


@dataclass(frozen=True, kw_only=True)
class IndexStatus:
    """What an index has; `left_out` counts what is not in it, by reason."""

    name: str
    passages: int
    files: int
    model: str
    sources: list[str]
    left_out: dict[str, int]


class OfferedIndexes:
    """Indexes by name, opened to be read; safe to use from several threads."""

    def __init__(self, paths: Sequence[Path], *, model: Path | None = None) -> None:
        """Open the indexes; each is known by the name of its folder.

        Args:
            paths: the indexes' folders, at least one.
            model: the bundle of all of them; None for those that they remember.

        Raises:
            InputError: two have the same name.
            SearchIndexError, BundleError: one cannot be used.
        """
        self._opened: dict[str, OpenedIndex] = {}
        self._encoders = SharedEncoders()
        self._of_code: set[str] = set()
        self._writing = threading.Lock()  # of the second stage's vectors
        try:
            for path in paths:
                name = path.absolute().name
                if name in self._opened:
                    raise InputError(
                        f"index: expected folders of different names, got {name} twice"
                    )
                self._opened[name] = OpenedIndex.open(path, model=model, encoders=self._encoders)
                if keeps_vectors(path):
                    self._of_code.add(name)
        except BaseException:
            self.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the indexes; the first is the default."""
        return tuple(self._opened)

    def search(
        self,
        query: str,
        *,
        index: str | None = None,
        k: int = 10,
        where: Mapping[str, Any] | None = None,
        mode: str | None = None,
    ) -> list[Result]:
        """The k passages that answer a question best.

        Raises:
            InputError: there is no such index, or an argument is invalid.
        """
        opened = self.opened(index)
        settings = _settings(k, where)
        if (index or self.names[0]) in self._of_code:
            weight = profile_of(opened.encoder).code_weight
            settings = dataclasses.replace(settings, weight=weight)
        match mode:
            case None:
                pass
            case "dense" | "keyword" | "hybrid":
                settings = dataclasses.replace(settings, mode=mode)
            case _:
                raise InputError(f"mode: expected dense, keyword or hybrid, got {mode!r:.100}")
        if opened.stage is not None and mode != "keyword":
            settings = dataclasses.replace(settings, rerank=opened.stage, depth=DEPTH)
        with self._writing:
            found = settings.run(opened.index, query)
        return [_result(answer) for answer in answers_of(query, found)]

    def similar(
        self,
        place: str,
        *,
        index: str | None = None,
        k: int = 10,
        where: Mapping[str, Any] | None = None,
    ) -> list[Result]:
        """The k passages most like those at a place.

        Raises:
            InputError: the index has nothing there, or an argument is invalid.
        """
        opened = self.opened(index)
        keys = passages_at(opened.index, place)
        settings = dataclasses.replace(_settings(k, where), exclude=tuple(keys))
        found = settings.run(opened.index, opened.index.vectors(keys).mean(axis=0))
        return [_result(answer) for answer in answers_of(None, found)]

    def read(
        self, place: str, *, index: str | None = None, before: int = 0, after: int = 2
    ) -> Reading:
        """The text at a place, with the passages around it.

        Args:
            place: a file of the index with a line, as results have it.
            index: the name of the index; None for the first.
            before: how many passages before it.
            after: how many behind it.

        Raises:
            InputError: the index has nothing there.
        """
        for name, count in (("before", before), ("after", after)):
            if not 0 <= count <= MAX_RESULTS:
                raise InputError(f"{name}: expected 0 to {MAX_RESULTS} passages, got {count}")
        opened = self.opened(index)
        keys = passages_at(opened.index, place)
        stored = opened.index.get(_around(keys, before, after))
        passages = [each for each in stored if each is not None]
        more = len(stored) > 1 and stored[-1] is not None
        if all(passage.document is None for passage in passages):
            raise InputError(f"place: expected a text, and {place!r:.200} is a picture")
        shown = passages[:-1] if more else passages
        text = joined_text((each.document or "", each.metadata) for each in shown)
        return Reading(
            place=place, text=printable(text[:_MAX_READ]), more=more or len(text) > _MAX_READ
        )

    def status(self) -> list[IndexStatus]:
        """What each index has."""
        return [_status(name, opened) for name, opened in self._opened.items()]

    def close(self) -> None:
        """Close all indexes."""
        for opened in self._opened.values():
            opened.close()
        self._encoders.close()

    def opened(self, name: str | None) -> OpenedIndex:
        """The index of that name; of None, the first.

        Raises:
            InputError: there is none.
        """
        found = self._opened.get(self.names[0] if name is None else name)
        if found is None:
            raise InputError(f"index: expected one of {', '.join(self.names)}, got {name!r:.100}")
        return found


def _settings(k: int, where: Mapping[str, Any] | None) -> SearchSettings:
    if not 1 <= k <= MAX_RESULTS:
        raise InputError(f"k: expected 1 to {MAX_RESULTS}, got {k}")
    return SearchSettings(k=k, where=None if where is None else dict(where))


def _result(answer: Answer) -> Result:
    place = place_of(answer.hit.metadata)
    language = place.get("language")
    return Result(
        place=printable(answer.location.name),
        score=round(answer.hit.score, 4),
        likelihood=answer.confidence or "",
        text=printable(answer.text[:_MAX_TEXT]),
        symbol=printable(answer.location.symbol),
        language=language if isinstance(language, str) else "",
        also_in=[printable(other.name) for other in answer.also_in],
    )


def _around(keys: Sequence[str], before: int, after: int) -> list[str]:
    """The keys of passages, of those around them, and of one more; not all of them may exist."""
    document, _, first = keys[0].rpartition("#")
    last = keys[-1].rpartition("#")[2]
    if not document or not first.isdecimal() or not last.isdecimal():
        return [keys[0]]  # a document that is no passage of a file
    numbers = range(max(0, int(first) - before), int(last) + after + 2)
    return [f"{document}#{number}" for number in numbers]


def _status(name: str, opened: OpenedIndex) -> IndexStatus:
    folders = status_of(read_memory(opened.index)).folders
    return IndexStatus(
        name=name,
        passages=len(opened.index),
        files=sum(folder.files for folder in folders),
        model=opened.encoder.manifest.name,
        sources=[printable(folder.name) for folder in folders],
        left_out=dict(sum((folder.left_out for folder in folders), Counter[str]())),
    )
