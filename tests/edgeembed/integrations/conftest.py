"""What the tests of every integration use: one encoder, and no network."""

import socket

import pytest

from edgeembed import Encoder


@pytest.fixture(scope="session")
def encoder(tiny_path):
    """Nobody closes it."""
    with Encoder.load(tiny_path, variant="fp32", threads=2) as made:
        yield made


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
