"""Folders that were indexed before: their age, and what an index has of them."""

import os

from edgeembed import Index

OLD = 1_700_000_000


def age(folder):
    """Make files look as if nobody had touched them for long."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_file() and not path.is_symlink():
            os.utime(path, (OLD, OLD))


def contents(path):
    """Everything that an index holds, by key."""
    with Index.open(path) as index:
        keys = sorted(index.keys())
        return {
            found.key: (found.document, found.metadata, vector.tobytes())
            for found, vector in zip(index.get(keys), index.vectors(keys), strict=True)
        }


def sources(path):
    return {key.rpartition("#")[0] for key in contents(path)}


def counts(report):
    return report["indexed"], report["unchanged"], report["removed"], len(report["skipped"])
