"""Servers that tests share, and a gate that holds the model."""

import threading

import pytest

from edgeembed import Encoder
from edgeembed.serve.engine.queue import WorkQueue
from edgeembed.serve.engine.runners import TextRunner
from helpers.live_server import served


@pytest.fixture(scope="session")
def server(tiny_path):
    """A server of the tiny bundle, with limits that tests can reach."""
    limits = {"max_body_mb": 0.2, "max_inputs": 64, "max_text_characters": 50_000}
    with served(f"tiny={tiny_path}", **limits) as live:
        yield live


@pytest.fixture(scope="session")
def tiny_encoder(tiny_path):
    with Encoder.load(tiny_path) as encoder:
        yield encoder


class Gate:
    """Holds every run of a text until it is opened; notes the texts as they run."""

    def __init__(self):
        self.opened = threading.Event()
        self.began = threading.Semaphore(0)
        self.put = threading.Semaphore(0)
        self.dropped = threading.Semaphore(0)
        self.ran = []

    def wait_for(self, event, count=1):
        """Wait until as many more runs `began`, or jobs were `put` into the queue or `dropped`."""
        for _ in range(count):
            assert getattr(self, event).acquire(timeout=20)


@pytest.fixture
def gate(monkeypatch):
    gate, run, put, drop = Gate(), TextRunner.run, WorkQueue.put, WorkQueue.drop

    def held(self, slices, *, alone):
        gate.ran += [
            text.text for piece in slices for text in piece.work.inputs[piece.start : piece.stop]
        ]
        gate.began.release()
        assert gate.opened.wait(20)
        run(self, slices, alone=alone)

    def noted_put(self, work):
        put(self, work)
        gate.put.release()

    def noted_drop(self, work):
        drop(self, work)
        gate.dropped.release()

    monkeypatch.setattr(TextRunner, "run", held)
    monkeypatch.setattr(WorkQueue, "put", noted_put)
    monkeypatch.setattr(WorkQueue, "drop", noted_drop)
    yield gate
    gate.opened.set()
