"""How many inputs were run."""

from collections import Counter

import pytest

_COUNTS = pytest.StashKey[Counter]()


def pytest_configure(config):
    config.stash[_COUNTS] = Counter()


@pytest.fixture(scope="session")
def counts(request):
    """Executions of each target; printed at the end."""
    return request.config.stash[_COUNTS]


def pytest_terminal_summary(terminalreporter, config):
    counts = config.stash[_COUNTS]
    if counts:
        terminalreporter.section("inputs")
        for name, count in sorted(counts.items()):
            terminalreporter.write_line(f"{count:10,} {name}")
