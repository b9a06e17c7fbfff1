"""Which file a passage belongs to, by its key; and files that lost passages, or moved."""

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping

from edgeembed import Index
from edgeembed.ingest.file_state import FileState


def owner_of(key: str, names: Collection[str]) -> str | None:
    """The file of these names that a passage is of, by its key "document#number"."""
    document = key.rpartition("#")[0]
    while document and document not in names:
        document = document[: max(document.rfind("/"), document.rfind(":"), 0)]
    return document or None


def without_deleted(index: Index, files: Mapping[str, FileState]) -> dict[str, FileState]:
    """The same files; those of which passages were deleted by others are unfinished."""
    if sum(file.passages for file in files.values()) == len(index):
        return dict(files)
    present = Counter(owner_of(key, files) for key in index.keys())  # noqa: SIM118
    return {
        name: file if present[name] >= file.passages else file.unfinished()
        for name, file in files.items()
    }


class MovedFiles:
    """Recognizes files by their content that had another name before: they keep their vectors."""

    def __init__(self, files: Mapping[str, FileState], gone: Collection[str]) -> None:
        """Start from the files with usable vectors, and the names of those that are gone."""
        self._files = files
        self._gone = frozenset(gone)
        self._names = defaultdict[str, list[str]](list)
        for name, file in files.items():
            if file.sha256:
                self._names[file.sha256].append(name)

    def source_of(self, now: FileState) -> str | None:
        """The former name of a file with this content; None if it has none.

        One that is not among the gone files, as nobody looked there, is gone all the same if there
        is nothing in its place; it is given once.
        """
        names = self._names.get(now.sha256, [])
        for name in names:
            if name in self._gone:
                return name
            if not os.path.lexists(self._files[name].place):
                names.remove(name)
                return name
        return None
