"""Random operations against a dict: the index and the dict must never disagree."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edgeembed_runtime.index import Index, IndexSettings

TINY = IndexSettings(seal_rows=6, backend="exact")
KEYS = st.sampled_from([f"k{i}" for i in range(25)])
ROW = st.integers(0, 10_000).map(lambda seed: np.random.default_rng(seed).normal(size=5))


class Oracle(RuleBasedStateMachine):
    @initialize()
    def create(self):
        self.folder = Path(tempfile.mkdtemp())
        self.index = Index.create(self.folder / "i", dim=5, settings=TINY)
        self.held = {}

    @rule(batch=st.lists(st.tuples(KEYS, st.text(max_size=5), ROW), max_size=8))
    def upsert(self, batch):
        batch = [(k, t.encode("utf-8", "ignore").decode(), v) for k, t, v in batch]
        keys = [key for key, _, _ in batch]
        rows = np.array([row for _, _, row in batch]).reshape(-1, 5)
        metas = [{"n": len(text)} for _, text, _ in batch]
        self.index.upsert(keys, [text for _, text, _ in batch], rows, metas)
        for key, text, row in batch:
            self.held.pop(key, None)
            self.held[key] = (text, row)

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

    @rule(query=ROW, k=st.integers(1, 30), least=st.integers(0, 6))
    def search(self, query, k, least):
        kept = [(key, row) for key, (text, row) in self.held.items() if len(text) >= least]
        hits = self.index.search(query, k, where={"n": {"$gte": least}})
        if not kept:
            assert hits == []
            return
        matrix = np.array([row for _, row in kept])
        scores = matrix @ query / np.linalg.norm(matrix, axis=1) / np.linalg.norm(query)
        order = np.argsort(-np.round(scores, 6), kind="stable")[:k]
        np.testing.assert_allclose([hit.score for hit in hits], scores[order], atol=1e-5)
        truth = {key: score for (key, _), score in zip(kept, scores, strict=True)}
        for hit in hits:
            assert abs(truth[hit.key] - hit.score) < 1e-5
            assert hit.document == self.held[hit.key][0]

    @rule()
    def verify(self):
        report = self.index.verify()
        assert report.ok, report.problems

    @invariant()
    def same_documents(self):
        assert list(self.index.keys()) == list(self.held)
        assert len(self.index) == len(self.held)
        for stored in self.index.get(list(self.held)):
            assert stored.document == self.held[stored.key][0]

    def teardown(self):
        if hasattr(self, "index"):
            self.index.close()
            shutil.rmtree(self.folder)


TestOracle = Oracle.TestCase
TestOracle.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, derandomize=True
)
