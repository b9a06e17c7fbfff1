"""A server of two tiny bundles and an index, for all tests of APIs."""

import pytest

from edgeembed_runtime.encoder.encoder import Encoder
from helpers import tiny_images


@pytest.fixture(scope="session")
def pictures_path(tiny_path, tmp_path_factory):
    return tiny_images.write_dual_bundle(tmp_path_factory.mktemp("dual") / "pictures", tiny_path)


@pytest.fixture(scope="session")
def encoder(tiny_path):
    with Encoder.load(tiny_path) as made:
        yield made


@pytest.fixture(scope="session")
def pictures(pictures_path):
    with Encoder.load(pictures_path) as made:
        yield made


@pytest.fixture(scope="session")
def served(tiny_path, pictures_path, tmp_path_factory):
    import importlib.util
    import sys

    spec = importlib.util.spec_from_file_location("directserver", "/tmp/apis/directserver.py")
    m = importlib.util.module_from_spec(spec)
    sys.modules["directserver"] = m
    spec.loader.exec_module(m)
    with m.running(tiny_path, pictures_path, tmp_path_factory.mktemp("idx") / "notes") as url:
        yield url


@pytest.fixture(scope="session")
def http(served):
    import httpx2

    with httpx2.Client(base_url=served, timeout=30) as client:
        yield client
