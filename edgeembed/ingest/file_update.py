"""The update of one file: which passages are new, which reuse a vector, which are removed."""

import re
from pathlib import Path

from edgeembed import Index
from edgeembed.ingest.passages import Passage
from edgeembed.ingest.texts import format_of
from edgeembed.ingest.write_buffer import PendingCommit, Planned

# The rest of a passage's key after the file's name: the line of a record, and a number.
_OWN_KEY = re.compile(r"(:\d+)?#\d+")


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
        self._stored = set(keys_of(index, name))
        # Vectors of another model go with the first commit, so that none passes for a new one.
        self._removed = set() if twin_name == name else set(self._stored)
        self._seen: dict[str, set[str]] = {}
        self.planned: dict[str, Planned] = {}

    def add(self, passage: Passage, commit: PendingCommit) -> None:
        """Plan one passage; `commit` is where it will be handed over."""
        source: str = passage.metadata["source"]
        if passage.number == 0:  # of two records with one key, the last wins
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
        """Finish: stored passages that were not seen are removed."""
        seen: set[str] = set().union(*self._seen.values())
        self._removed |= self._stored - seen
        self.planned = {key: each for key, each in self.planned.items() if key in seen}

    def hand_over(self, commit: PendingCommit) -> None:
        """Move what was planned so far into a commit."""
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
    """Keys of a file's passages, records with keys of their own excluded.

    A record with its own key belongs to no file: it stays until another record replaces it.
    """
    keys = list(index.keys(f"{name}#"))
    if format_of(Path(name)) == "jsonl":
        keys += index.keys(f"{name}:")
    return [key for key in keys if _is_of(key, name)]


def _is_of(key: str, name: str) -> bool:
    return key.startswith(name) and _OWN_KEY.fullmatch(key, len(name)) is not None
