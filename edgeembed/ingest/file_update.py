"""The update of one file: which passages are new, which reuse a vector, which are removed."""

import itertools
import re
from collections.abc import Iterator

from edgeembed import Index
from edgeembed.ingest.passages import Passage
from edgeembed.ingest.readers.base.places import place_of
from edgeembed.ingest.write_buffer import PendingCommit, Planned

# A passage's key: its document, and a number.
_NUMBERED = re.compile(r"(?s)(.*)#(\d+)")
# The rest of the key of a passage of a file's own text.
_OWN_KEY = re.compile(r"#\d+")
_BATCH = 1000


class FileUpdate:
    """Plans the new passages of a file one by one, and the removal of old ones."""

    def __init__(self, index: Index, name: str, twin_name: str | None) -> None:
        """Start from what the index has of the file.

        Args:
            index: the index to update.
            name: the file's name.
            twin_name: the file whose vectors may be reused: itself, or its former name.
        """
        self._index = index
        self._name = name
        self._twin_name = twin_name
        # Of a log that is new, there is no need to list the millions of keys that it gets.
        self._is_new = next(keys_of(index, name), None) is None
        # Vectors of another model go with the first commit, so that none passes for a new one.
        self._removed = set[str]() if twin_name == name else set(keys_of(index, name))
        # Passages of each document: a number, as there may be millions of a log.
        self._counts: dict[str, int] = {}
        self._replaced: dict[str, int] = {}
        self.planned: dict[str, Planned] = {}

    @property
    def count(self) -> int:
        """How many passages the file has, as far as it is planned."""
        return sum(self._counts.values())

    def add(self, passage: Passage) -> None:
        """Plan one passage."""
        document = passage.document
        if passage.number == 0 and document in self._counts:
            # Of two records with one id, the last wins.
            before = max(self._counts[document], self._replaced.get(document, 0))
            self._replaced[document] = before
        self._counts[document] = passage.number + 1
        self.planned.pop(passage.key, None)
        self.planned[passage.key] = Planned(passage=passage, twin=self._twin(passage.key))
        self._removed.discard(passage.key)

    def end(self) -> None:
        """Finish: stored passages that were not seen are removed."""
        if not self._is_new:
            stored = keys_of(self._index, self._name)
            self._removed.update(key for key in stored if self._is_old(key))
        for document, before in self._replaced.items():
            stale = [f"{document}#{n}" for n in range(self._counts[document], before)]
            self._removed.update(stale)
            for key in stale:
                self.planned.pop(key, None)

    def hand_over(self, commit: PendingCommit) -> None:
        """Move what was planned so far into a commit."""
        commit.take(self.planned.values(), self._removed)
        self.planned, self._removed = {}, set()

    def _is_old(self, key: str) -> bool:
        found = _NUMBERED.fullmatch(key)
        return found is None or int(found[2]) >= self._counts.get(found[1], 0)

    def _twin(self, key: str) -> str | None:
        if self._twin_name is None:
            return None
        return self._twin_name + key.removeprefix(self._name)


def keys_of(index: Index, name: str) -> Iterator[str]:
    """Keys of a file's passages: of its own text, and of the records and documents in it."""
    yield from (key for key in index.keys(f"{name}#") if _OWN_KEY.fullmatch(key, len(name)))
    # Of another file, "name:1", and of files in a folder that was a file before, keys begin so too.
    parts = itertools.chain(index.keys(f"{name}:"), index.keys(f"{name}/"))
    while keys := list(itertools.islice(parts, _BATCH)):
        found = [each for each in index.get(keys) if each is not None]
        yield from (each.key for each in found if place_of(each.metadata).get("source") == name)
