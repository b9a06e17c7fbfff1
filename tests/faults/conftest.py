"""The size of a run, and what it counts."""

from collections import Counter

import pytest

from faults.harness.sizes import SIZES

_COUNTS = pytest.StashKey[Counter]()


def pytest_configure(config):
    config.stash[_COUNTS] = Counter()


@pytest.fixture(scope="session")
def size(request):
    """How much this run does."""
    return SIZES[request.config.getoption("faults")]


@pytest.fixture(scope="session")
def counts(request):
    """How often each thing was done; printed at the end."""
    return request.config.stash[_COUNTS]


def pytest_terminal_summary(terminalreporter, config):
    counts = config.stash[_COUNTS]
    if counts:
        terminalreporter.section("injected faults")
        for name, count in sorted(counts.items()):
            terminalreporter.write_line(f"{count:8,} {name}")
