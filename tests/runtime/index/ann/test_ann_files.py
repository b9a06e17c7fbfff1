"""Damaged and hostile ANN files: no answer changes, no process dies."""

import struct

import numpy as np
import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime.index.ann.backend import AnnShape
from edgeembed_runtime.index.ann.registry import find_backend
from helpers.damaged_file import damage_file

pytest.importorskip("annoy")
pytest.importorskip("usearch")
FOREST = AnnShape(n=150, dim=16, build_parameter=20)
GRAPH = AnnShape(n=150, dim=16, build_parameter=0)
ANNOY, USEARCH = find_backend("annoy"), find_backend("usearch")


def make(path, vectors, backend):
    settings = IndexSettings(ann_min_rows=50, backend=backend, recall_floor=0.5)
    with Index.create(path, dim=16, settings=settings) as index:
        index.upsert([str(i) for i in range(150)], vectors=vectors)
        index.compact()
        assert [s.backend for s in index.stats().segments] == [backend]
    (file,) = (path / "seg").glob(f"*.{find_backend(backend).suffix}")
    return file


@pytest.fixture(params=["annoy", "usearch"])
def file(request, tmp_path, vectors):
    """The ANN file of an index of 150 vectors, at tmp_path / "i"."""
    return make(tmp_path / "i", vectors(150), request.param)


REFUSED = ["shorter", "longer", "empty", "link", "folder", "fifo"]


@pytest.mark.parametrize("kind", [*REFUSED, "missing", "flipped", "swapped"])
def test_damage_never_changes_an_answer(file, kind, tmp_path, vectors, brute_force, caplog):
    backend = "annoy" if file.suffix == ".ann" else "usearch"
    damage_file(file, kind, make(tmp_path / "other", vectors(150, seed=9), backend))
    with Index.open(tmp_path / "i", mode="rw") as index:
        for query in vectors(5, seed=3):
            order, _ = brute_force(vectors(150), query, 150)
            hits = index.search(query, 150, exact=True)
            assert [hit.key for hit in hits] == [str(i) for i in order]
            assert len(index.search(query, 3)) == 3
        if kind in REFUSED:
            assert "searching a segment exactly" in caplog.text
        assert any(file.name in problem for problem in index.verify().problems)
        if kind != "folder":
            index.compact()
            assert index.verify().ok


def test_mutated_trees_that_pass_the_validator_are_safe_to_search(tmp_path, vectors):
    # Changes only the words that steer Annoy: counts, children, ids; at random nodes.
    file = make(tmp_path / "i", vectors(150), "annoy")
    sound = np.frombuffer(file.read_bytes(), dtype="<i4").reshape(-1, 19)
    assert ANNOY.find_problem(file, FOREST) is None
    rng = np.random.default_rng(2)
    accepted = 0
    mutant = tmp_path / "mutant.ann"
    for _ in range(250):
        nodes = sound.copy()
        for _ in range(int(rng.integers(1, 4))):
            node, word = rng.integers(0, len(nodes)), rng.integers(0, 6)
            near = int(rng.integers(0, len(nodes)))
            nodes[node, word] = rng.choice([-1, 0, 1, 2, 149, 150, 2**30, near, near, near])
        if rng.random() < 0.1:
            nodes = nodes[: int(rng.integers(1, len(nodes)))]
        mutant.write_bytes(nodes.tobytes())
        if ANNOY.find_problem(mutant, FOREST) is None:
            accepted += 1
            trees = ANNOY.load(mutant, nodes.nbytes, FOREST)
            for query in vectors(5, seed=8):
                near = trees.query(query, 20, 5000)
                assert ((near >= 0) & (near < 150)).all()
    assert 0 < accepted < 250


def test_mutated_graphs_that_pass_the_validator_are_safe_to_search(tmp_path, vectors):
    # Changes bytes of the heads, the levels and the nodes; codes may be anything.
    file = make(tmp_path / "i", vectors(150), "usearch")
    sound = np.frombuffer(file.read_bytes(), np.uint8)
    assert USEARCH.find_problem(file, GRAPH) is None
    graph = 8 + 150 * 16
    rng = np.random.default_rng(2)
    accepted = 0
    mutant = tmp_path / "mutant.usearch"
    for _ in range(400):
        data = sound.copy()
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.choice([rng.integers(8), rng.integers(graph, data.size)], p=[0.1, 0.9]))
            data[at] = rng.choice([0, 1, 2, 149, 255, int(rng.integers(256)), int(data[at]) ^ 1])
        if rng.random() < 0.1:
            data = data[: int(rng.integers(1, len(data)))]
        mutant.write_bytes(data.tobytes())
        if USEARCH.find_problem(mutant, GRAPH) is None:
            accepted += 1
            loaded = USEARCH.load(mutant, data.size, GRAPH)
            for query in vectors(5, seed=8):
                near = loaded.query(query, 20, 100)
                assert ((near >= 0) & (near < 150)).all()
            loaded.close()
    assert 0 < accepted < 400


def test_the_graph_validator_names_each_kind_of_damage(tmp_path, vectors):
    file = make(tmp_path / "i", vectors(150), "usearch")
    sound = file.read_bytes()
    graph = 8 + 150 * 16 + 64
    nodes = graph + 40 + 2 * 150

    def problem(at, value):
        data = bytearray(sound)
        data[at : at + len(value)] = value
        file.write_bytes(data)
        return str(USEARCH.find_problem(file, GRAPH))

    assert "another kind" in problem(0, struct.pack("<I", 151))
    assert "another kind" in problem(8 + 150 * 16, b"voyager")
    assert "other numbers" in problem(graph + 8, struct.pack("<Q", 17))
    assert "entry" in problem(graph + 32, struct.pack("<Q", 150))
    assert "entry" in problem(graph + 40, struct.pack("<h", -1))
    low = sound[graph + 40 : nodes].index(b"\0\0") & ~1
    assert "where the file ends" in problem(graph + 40 + low, struct.pack("<h", 1))
    assert "key or level" in problem(nodes, struct.pack("<Q", 150))
    assert "no node" in problem(nodes, struct.pack("<Q", 1))
    assert "key or level" in problem(nodes + 8, struct.pack("<h", 9))
    assert "does not exist" in problem(nodes + 10, struct.pack("<I", 33))
    assert "does not exist" in problem(nodes + 14, struct.pack("<I", 150))
    file.write_bytes(sound[:nodes])
    assert "where the file ends" in str(USEARCH.find_problem(file, GRAPH))
    file.write_bytes(sound[:100])
    assert "too few" in str(USEARCH.find_problem(file, GRAPH))


def test_the_forest_validator_refuses_files_of_other_numbers(tmp_path, vectors):
    file = make(tmp_path / "i", vectors(150), "annoy")
    for numbers in (
        {"dim": 3, "n": 150, "build_parameter": 20},
        {"dim": 16, "n": 149, "build_parameter": 20},
        {"dim": 16, "n": 151, "build_parameter": 20},
        {"dim": 16, "n": 150, "build_parameter": 22},
        {"dim": 16, "n": 10, "build_parameter": 20},
        {"dim": 0, "n": 150, "build_parameter": 20},
        {"dim": 16, "n": 150, "build_parameter": 0},
    ):
        assert ANNOY.find_problem(file, AnnShape(**numbers)) is not None, numbers
    sound = file.read_bytes()
    loop = np.frombuffer(sound, dtype="<i4").reshape(-1, 19).copy()
    inner = int(np.flatnonzero(loop[:, 0] > 18)[0])
    loop[inner, 1] = inner
    file.write_bytes(loop.tobytes())
    assert "come before" in str(ANNOY.find_problem(file, FOREST))
    chain = np.frombuffer(sound, dtype="<i4").reshape(-1, 19).copy()
    for node in range(len(chain) - 19, len(chain)):
        chain[node, 1:3] = node - 1
    file.write_bytes(chain.tobytes())
    assert "another root" in str(ANNOY.find_problem(file, FOREST))
    file.write_bytes(struct.pack("<i", 0) * 19 * 300)
    assert ANNOY.find_problem(file, FOREST) is not None
