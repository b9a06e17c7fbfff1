"""Random operations: a writer, a reader, copies, and a dict as the model never disagree."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from harness.contents import Document, assert_answers, contents, same
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from edgeembed import Index, IndexSettings
from edgeembed_runtime.index.base.unit_vectors import unit_rows

pytestmark = pytest.mark.slow
DIM = 5
TINY = IndexSettings(seal_rows=6, backend="exact")
KEYS = st.sampled_from([f"k{i}" for i in range(25)])
ROW = st.integers(0, 10_000).map(lambda seed: np.random.default_rng(seed).normal(size=DIM))
# Few words, so that keyword search finds some.
TEXT = st.one_of(
    st.lists(st.sampled_from(["red", "green", "blue"]), max_size=4).map(" ".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)


class Operations(RuleBasedStateMachine):
    """An index, and a dict of what was written to it."""

    @initialize()
    def create(self):
        self.folder = Path(tempfile.mkdtemp())
        self.index = Index.create(self.folder / "i", dim=DIM, settings=TINY)
        self.held = {}
        self.reader = Index.open(self.folder / "i")
        self.seen = {}
        """What the reader saw when it last looked."""

    @rule(batch=st.lists(st.tuples(KEYS, TEXT, ROW), max_size=8))
    def upsert(self, batch):
        keys = [key for key, _, _ in batch]
        rows = np.array([row for _, _, row in batch]).reshape(-1, DIM)
        metas = [{"n": len(text)} for _, text, _ in batch]
        self.index.upsert(
            keys, documents=[text for _, text, _ in batch], vectors=rows, metadatas=metas
        )
        units = unit_rows(rows, dim=DIM, what="vectors") if batch else rows
        for (key, text, _), meta, unit in zip(batch, metas, units, strict=True):
            self.held.pop(key, None)
            self.held[key] = Document(text, meta, unit.tobytes())

    @rule(keys=st.lists(KEYS, max_size=10))
    def delete(self, keys):
        expected = len(set(keys) & self.held.keys())
        assert self.index.delete(keys) == expected
        for key in keys:
            self.held.pop(key, None)

    @rule()
    def compact(self):
        self.index.compact()

    @rule()
    def reopen(self):
        self.index.close()
        self.index = Index.open(self.folder / "i", mode="rw", settings=TINY)

    @rule(keys=st.lists(KEYS, max_size=5))
    def get(self, keys):
        for key, stored in zip(keys, self.index.get(keys), strict=True):
            assert (stored is None) == (key not in self.held)
            if stored is not None:
                assert (stored.key, stored.document) == (key, self.held[key].text)
                assert stored.metadata == self.held[key].metadata

    @rule(query=ROW, k=st.integers(1, 30), least=st.integers(0, 6))
    def search(self, query, k, least):
        kept = {key: d for key, d in self.held.items() if d.metadata["n"] >= least}
        hits = self.index.search(query, k, where={"n": {"$gte": least}}, exact=True)
        rows = [np.frombuffer(document.vector, np.float32) for document in kept.values()]
        scores = np.array(rows, np.float64).reshape(-1, DIM) @ query / np.linalg.norm(query)
        truth = dict(zip(kept, scores.tolist(), strict=True))
        best = np.sort(scores)[::-1][:k]
        np.testing.assert_allclose([hit.score for hit in hits], best, atol=1e-5)
        for hit in hits:
            assert abs(truth[hit.key] - hit.score) < 1e-5
            assert hit.document == self.held[hit.key].text

    @rule(word=st.sampled_from(["red", "green", "blue"]))
    def search_words(self, word):
        found = {hit.key for hit in self.index.search(word, 30, mode="keyword")}
        assert found == {key for key, d in self.held.items() if word in d.text.split()}

    @rule()
    def verify(self):
        report = self.index.verify()
        assert report.ok, report.problems

    @rule()
    def refresh(self):
        self.reader.refresh()
        self.seen = dict(self.held)
        assert same(contents(self.reader), self.seen)

    @rule()
    def read_without_refresh(self):
        """A reader stays at one generation until refresh() or a purge of it; then the newest."""
        found = contents(self.reader)
        if not same(found, self.seen):
            assert same(found, self.held)
            self.seen = dict(self.held)

    @precondition(lambda self: self.held)
    @rule(damaged=st.booleans())
    def copy(self, damaged):
        copy = self.folder / "copy"
        if damaged:
            Index.repair(self.folder / "i", copy)
        else:
            self.reader.backup(copy)
        with Index.open(copy) as index:
            assert same(contents(index), self.held)
            assert_answers(index, self.held)
        shutil.rmtree(copy)

    @invariant()
    def same_documents(self):
        assert same(contents(self.index), self.held)

    def teardown(self):
        if hasattr(self, "index"):
            self.reader.close()
            self.index.close()
            shutil.rmtree(self.folder)


def test_random_operations_agree_with_a_dict(size, counts):
    run_state_machine_as_test(
        Operations,
        settings=settings(
            max_examples=size.examples,
            stateful_step_count=size.examples_steps,
            deadline=None,
            derandomize=True,
        ),
    )
    counts[f"random examples of {size.examples_steps} operations"] += size.examples
