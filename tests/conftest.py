"""Fixtures and options that every test may use."""

import pytest
from hypothesis import HealthCheck, settings

from helpers import tiny_bundle

# The same examples in every run, however slow or busy the machine is.
settings.register_profile(
    "edgeembed",
    deadline=None,
    derandomize=True,
    # The fixtures that tests share with their examples are read only.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("edgeembed")


def pytest_addoption(parser):
    parser.addoption(
        "--faults",
        choices=["small", "full", "widest"],
        default="small",
        help="how many faults tests/faults injects; full takes a quarter of an hour or more, "
        "widest kills 10,000 writers",
    )
    parser.addoption(
        "--hours",
        type=float,
        default=0,
        help="how long tests/fuzz fuzzes, all targets together; a fraction will do",
    )


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory):
    """A sound bundle. Nobody writes to it."""
    return tiny_bundle.write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny.bundle")


@pytest.fixture
def own_bundle(tiny_path, tmp_path):
    """A copy of the sound bundle, to be damaged."""
    return tiny_bundle.copy_bundle(tiny_path, tmp_path / "own.bundle")
