"""What an index holds, and whether it is sound: the same checks after every fault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeembed import Index
from edgeembed_runtime.errors import EdgeEmbedError


@dataclass(frozen=True)
class Document:
    """What was written under one key."""

    text: str | None
    metadata: Mapping[str, Any] | None
    vector: bytes
    """float32, unit length."""


State = dict[str, Document]
"""All documents by key, in the order of writing."""


def contents(index: Index) -> State:
    """Everything that an open index holds."""
    keys = list(index.keys())
    assert len(index) == len(keys)
    stored = index.get(keys)
    vectors = index.vectors(keys)
    assert all(s is not None and s.key == key for s, key in zip(stored, keys, strict=True))
    return {
        key: Document(s.document, s.metadata, vector.tobytes())
        for key, s, vector in zip(keys, stored, vectors, strict=True)
    }


def same(left: State, right: State) -> bool:
    """Whether two states are equal, in the same order."""
    return list(left.items()) == list(right.items())


def assert_answers(index: Index, state: State) -> None:
    """Search exactly and compare with what the state says."""
    dim = index.dim
    rows = np.array([np.frombuffer(d.vector, np.float32) for d in state.values()])
    for query in np.random.default_rng(0).normal(size=(2, dim)):
        hits = index.search(query, 10, exact=True)
        scores = rows.reshape(-1, dim).astype(np.float64) @ query / np.linalg.norm(query)
        best = np.sort(scores)[::-1][:10]
        np.testing.assert_allclose([hit.score for hit in hits], best, atol=1e-5)
        assert all(hit.document == state[hit.key].text for hit in hits)


def assert_sound(path: Path, allowed: Sequence[State]) -> State:
    """Open an index afresh: it is sound and holds exactly one of some states."""
    with Index.open(path) as index:
        held = contents(index)
        report = index.verify()
        assert report.ok, report.problems
        assert any(same(held, state) for state in allowed), _difference(held, allowed)
        assert_answers(index, held)
    return held


def assert_writable(path: Path) -> None:
    """The next writer gets the lock, and only what the catalog names is left."""
    with Index.open(path, mode="rw", lock_timeout_s=0) as index:
        named = sum(2 for _ in index.stats().segments)
        files = [p for p in (path / "seg").iterdir() if p.suffix in (".f32", ".ids")]
        assert len(files) == named


def _difference(held: State, allowed: Sequence[State]) -> str:
    lines = [f"holds {len(held)} documents; allowed are:"]
    for state in allowed:
        missing = [key for key in state if held.get(key) != state[key]]
        extra = [key for key in held if key not in state]
        lines.append(f"{len(state)} documents: missing or other {missing}, too many {extra}")
    return "\n".join(lines)


def holds_or_refuses(path: Path) -> State | EdgeEmbedError:
    """What an index holds, or the typed error that says why it does not open."""
    try:
        with Index.open(path) as index:
            return contents(index)
    except EdgeEmbedError as error:
        return error
