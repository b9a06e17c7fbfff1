"""A server of two small bundles and an index, for all tests of APIs."""

import httpx2
import pytest

from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.index.index import Index
from helpers import live_server, tiny_images


@pytest.fixture(scope="session")
def pictures_path(tiny_path, tmp_path_factory):
    """A bundle for texts and pictures."""
    return tiny_images.write_dual_bundle(tmp_path_factory.mktemp("dual") / "pictures", tiny_path)


@pytest.fixture(scope="session")
def encoder(tiny_path):
    """What the served model `tiny` must agree with, bit for bit."""
    with Encoder.load(tiny_path) as made:
        yield made


@pytest.fixture(scope="session")
def pictures(pictures_path):
    """What the served model `pictures` must agree with."""
    with Encoder.load(pictures_path) as made:
        yield made


@pytest.fixture(scope="session")
def served(tiny_path, pictures_path, encoder, tmp_path_factory):
    """The address of a server of the models `tiny` and `pictures` and the index `notes`."""
    notes = tmp_path_factory.mktemp("served") / "notes"
    Index.create(notes, encoder=encoder).close()
    with live_server.served(
        f"tiny={tiny_path}",
        f"pictures={pictures_path}",
        indexes=(str(notes),),
        writable=True,
        max_inputs=100,
        max_text_characters=100_000,
        threads=1,
    ) as live:
        yield f"http://127.0.0.1:{live.port}"


@pytest.fixture(scope="session")
def http(served):
    """A plain client of the server."""
    with httpx2.Client(base_url=served, timeout=30) as client:
        yield client
