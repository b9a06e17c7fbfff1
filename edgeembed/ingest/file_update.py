"""One file's passages: which are new, which may keep a vector, which have to go."""

import re
from pathlib import Path

from edgeembed import Index
from edgeembed.ingest.passages import Passage
from edgeembed.ingest.pending_commit import PendingCommit, Planned
from edgeembed.ingest.texts import format_of

# After a file's name, the keys of its passages have the line of a record and a number.
_OWN_KEY = re.compile(r"(:\d+)?#\d+")


class FileUpdate:
    """New passages of one file, planned one by one, and old ones that it no longer has."""

    def __init__(self, index: Index, name: str, twin_name: str | None) -> None:
        """Start with what the index has of the file.

        Args:
            index: where it goes.
            name: of the file.
            twin_name: the file whose vectors may be used again: itself, or one that it was.
        """
        self._index = index
        self._name = name
        self._twin_name = twin_name
        self._stored = set(keys_of(index, name))
        # Vectors of another model leave with the first commit, so that none is taken for a new one.
        self._removed = set() if twin_name == name else set(self._stored)
        self._seen: dict[str, set[str]] = {}
        self.planned: dict[str, Planned] = {}

    def add(self, passage: Passage, commit: PendingCommit) -> None:
        """Plan one passage; `commit` is what it will be handed over to."""
        source: str = passage.metadata["source"]
        if passage.number == 0:  # of two records with one key the last one counts
            self._seen[source] = set()
            if not _is_of(passage.key, self._name):
                self._stored |= {
                    *self._index.keys(f"{source}#"),
                    *commit.waiting_keys(f"{source}#"),
                }
        self._seen[source].add(passage.key)
        self.planned.pop(passage.key, None)
        self.planned[passage.key] = Planned(passage=passage, twin=self._twin(passage.key))
        self._removed.discard(passage.key)

    def end(self) -> None:
        """The file has no more passages: what was not seen is removed."""
        seen: set[str] = set().union(*self._seen.values())
        self._removed |= self._stored - seen
        self.planned = {key: each for key, each in self.planned.items() if key in seen}

    def hand_over(self, commit: PendingCommit) -> None:
        """Put what was planned so far into a commit."""
        commit.take(self.planned.values(), self._removed)
        self._stored = (self._stored | self.planned.keys()) - self._removed
        self.planned, self._removed = {}, set()

    def _twin(self, key: str) -> str | None:
        if self._twin_name is None:
            return None
        if not _is_of(key, self._name):
            return key
        return self._twin_name + key.removeprefix(self._name)


def keys_of(index: Index, name: str) -> list[str]:
    """Keys of passages of a file, and of its records that have no keys of their own.

    A record with a key belongs to nobody: it stays until another record of that key replaces it.
    """
    keys = list(index.keys(f"{name}#"))
    if format_of(Path(name)) == "jsonl":
        keys += index.keys(f"{name}:")
    return [key for key in keys if _is_of(key, name)]


def _is_of(key: str, name: str) -> bool:
    return key.startswith(name) and _OWN_KEY.fullmatch(key, len(name)) is not None
