"""All file operations of an index: those of Python and those of SQLite."""

import contextlib
from collections.abc import Generator
from pathlib import Path

import pytest

from faults.harness.operations import Observer
from faults.harness.python_files import python_reports
from faults.harness.sqlite_files import can_report, sqlite_reports

needs_reports = pytest.mark.skipif(
    not can_report(), reason="watching files needs Linux and a shared SQLite library"
)


@contextlib.contextmanager
def watching(root: Path, observer: Observer) -> Generator[None]:
    """Tell the observer of every operation on files below a folder, before it happens.

    Open the index inside, or SQLite's part of it goes unseen.
    """
    with sqlite_reports(root, observer), python_reports(root, observer):
        yield
