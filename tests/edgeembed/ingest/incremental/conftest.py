"""An index of a folder, and what a run reads and embeds."""

import pytest

from edgeembed import Encoder
from edgeembed.ingest import text_indexer
from helpers.indexed_folder import age


@pytest.fixture
def settled(run_json, notes, tiny_path):
    """The index of `notes`, whose files are old."""
    age(notes)
    run_json("index", notes, "-m", tiny_path, "-i", "i")
    return "i"


@pytest.fixture
def read_files(monkeypatch):
    """Names of files that were read, in order."""
    names = []
    original = text_indexer.examined
    monkeypatch.setattr(
        text_indexer, "examined", lambda path: (names.append(path.name), original(path))[1]
    )
    return names


@pytest.fixture
def embedded(monkeypatch):
    """Texts that were embedded, in order."""
    texts = []
    original = Encoder.encode_document

    def spy(self, inputs, **options):
        texts.extend(inputs)
        return original(self, inputs, **options)

    monkeypatch.setattr(Encoder, "encode_document", spy)
    return texts
