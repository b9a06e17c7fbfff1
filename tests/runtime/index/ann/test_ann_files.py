"""Damaged and hostile ANN files: no answer changes, no process dies."""

import struct

import numpy as np
import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime.index.ann.backend import AnnShape
from edgeembed_runtime.index.ann.registry import find_backend
from helpers.damaged_file import damage_file

pytest.importorskip("annoy")
pytest.importorskip("faiss")
pytest.importorskip("usearch")
FOREST = AnnShape(n=150, dim=16, build_parameter=20)
GRAPH = AnnShape(n=150, dim=16, build_parameter=0)
LISTS = GRAPH
ANNOY, FAISS, USEARCH = find_backend("annoy"), find_backend("faiss"), find_backend("usearch")


def make(path, vectors, backend):
    settings = IndexSettings(ann_min_rows=50, backend=backend, recall_floor=0.5)
    with Index.create(path, dim=16, settings=settings) as index:
        index.upsert([str(i) for i in range(150)], vectors=vectors)
        index.compact()
        assert [s.backend for s in index.stats().segments] == [backend]
    (file,) = (path / "seg").glob(f"*.{find_backend(backend).suffix}")
    return file


@pytest.fixture(params=["annoy", "faiss", "usearch"])
def file(request, tmp_path, vectors):
    """The ANN file of an index of 150 vectors, at tmp_path / "i"."""
    return make(tmp_path / "i", vectors(150), request.param)


REFUSED = ["shorter", "longer", "empty", "link", "folder", "fifo"]


@pytest.mark.parametrize("kind", [*REFUSED, "missing", "flipped", "swapped"])
def test_damage_never_changes_an_answer(file, kind, tmp_path, vectors, brute_force, caplog):
    backend = "annoy" if file.suffix == ".ann" else file.suffix[1:]
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


def accepted_mutants(backend, shape, sound, mutant, count, place):
    """How many of some copies of a file, each changed at a few places, pass and are searched."""
    rng = np.random.default_rng(2)
    queries = np.random.default_rng(8).normal(size=(5, shape.dim)).astype(np.float32)
    accepted = 0
    for _ in range(count):
        data = sound.copy()
        for _ in range(int(rng.integers(1, 4))):
            at = place(rng, data.size)
            data[at] = rng.choice([0, 1, 2, 149, 255, int(rng.integers(256)), int(data[at]) ^ 1])
        if rng.random() < 0.1:
            data = data[: int(rng.integers(1, len(data)))]
        mutant.write_bytes(data.tobytes())
        if backend.find_problem(mutant, shape) is None:
            accepted += 1
            loaded = backend.load(mutant, data.size, shape)
            for query in queries:
                near = loaded.query(query, 20, 100)
                assert ((near >= 0) & (near < shape.n)).all()
            loaded.close()
    return accepted


def test_mutated_graphs_that_pass_the_validator_are_safe_to_search(tmp_path, vectors):
    file = make(tmp_path / "i", vectors(150), "usearch")
    sound = np.frombuffer(file.read_bytes(), np.uint8)
    assert USEARCH.find_problem(file, GRAPH) is None
    graph = 8 + 150 * 16

    def place(rng, size):  # in heads, levels and nodes; codes may be anything
        return int(rng.choice([rng.integers(8), rng.integers(graph, size)], p=[0.1, 0.9]))

    mutant = tmp_path / "mutant.usearch"
    assert 0 < accepted_mutants(USEARCH, GRAPH, sound, mutant, 400, place) < 400


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


def test_mutated_lists_that_pass_the_validator_are_safe_to_search(tmp_path, vectors):
    file = make(tmp_path / "i", vectors(150), "faiss")
    sound = np.frombuffer(file.read_bytes(), np.uint8)
    assert FAISS.find_problem(file, LISTS) is None
    mutant = tmp_path / "mutant.faiss"

    def place(rng, size):
        return int(rng.integers(size))

    assert 0 < accepted_mutants(FAISS, LISTS, sound, mutant, 600, place) < 600


def test_the_validator_of_lists_names_each_kind_of_damage(tmp_path, vectors):
    file = make(tmp_path / "i", vectors(150), "faiss")
    sound = file.read_bytes()
    lists = struct.unpack_from("<Q", sound, 37)[0]
    assert lists == 10  # the root of the 113 rows that are not held out
    centers = 37 + 16 + 37 + 8
    kind = centers + lists * 16 * 4 + 9
    book = kind + 33
    packed = book + 32 + 16 * 16 * 4
    first = packed + 36
    (entries,) = struct.unpack_from("<Q", sound, first)

    def problem(at, value):
        data = bytearray(sound)
        data[at : at + len(value)] = value
        file.write_bytes(data)
        return str(FAISS.find_problem(file, LISTS))

    assert sound[packed : packed + 4] == b"ilbl"
    assert "another kind of index" in problem(0, b"IwFl")
    assert "another kind of index" in problem(8, struct.pack("<q", 151))
    assert "151 lists" in problem(37, struct.pack("<Q", 151))
    assert "another kind of head" in problem(37, struct.pack("<Q", 11))
    assert "another kind of head" in problem(37 + 16, b"IxF2")
    assert "number of centers" in problem(centers - 8, struct.pack("<Q", 1 << 60))
    assert "not finite" in problem(centers, struct.pack("<f", float("nan")))
    assert "maps rows" in problem(kind - 9, b"\2")
    assert "codes are of another kind" in problem(kind, b"\0")
    assert "code book is of another kind" in problem(book + 16, struct.pack("<Q", 8))
    assert "code book is not finite" in problem(book + 32, struct.pack("<f", float("inf")))
    assert "packed in another way" in problem(packed + 20, struct.pack("<Q", 64))
    assert "entries of 150 rows" in problem(first, struct.pack("<Q", 1 << 61))
    assert "does not exist" in problem(first + 8, struct.pack("<q", 150))
    assert "does not exist" in problem(first + 8, struct.pack("<q", -1))
    assert "in two" in problem(first + 16, sound[first + 8 : first + 16])
    assert "number of codes" in problem(first + 8 + 8 * entries, struct.pack("<Q", 0))
    file.write_bytes(sound + b"\0")
    assert "where the file ends" in str(FAISS.find_problem(file, LISTS))
    for size in (0, 30, centers + 5, first - 1, len(sound) - 1):
        file.write_bytes(sound[:size])
        assert FAISS.find_problem(file, LISTS) is not None, size


@pytest.mark.parametrize("dim", [1, 3, 5, 16, 34, 97])
def test_lists_hold_vectors_of_any_dimension(dim, tmp_path):
    rows = np.random.default_rng(0).normal(size=(400, dim))
    settings = IndexSettings(ann_min_rows=50, backend="faiss", recall_floor=0.5)
    with Index.create(tmp_path / "i", dim=dim, settings=settings) as index:
        index.upsert([str(i) for i in range(400)], vectors=rows)
        index.compact()
        (segment,) = index.stats().segments
        assert segment.backend == "faiss"
        assert index.search(rows[7], 1)[0].score == pytest.approx(1, abs=1e-6)


def test_the_same_rows_give_the_same_lists(tmp_path, vectors):
    one, two = (make(tmp_path / name, vectors(150), "faiss").read_bytes() for name in "ab")
    assert one == two


def test_a_faiss_that_writes_another_layout_is_left_out(tmp_path, vectors, monkeypatch, caplog):
    import faiss

    write = faiss.serialize_index
    monkeypatch.setattr(faiss, "serialize_index", lambda index: write(index)[:-1])
    settings = IndexSettings(ann_min_rows=50, backend="faiss", recall_floor=0.5)
    with Index.create(tmp_path / "i", dim=16, settings=settings) as index:
        index.upsert([str(i) for i in range(150)], vectors=vectors(150))
        index.compact()
        assert [s.backend for s in index.stats().segments] == ["exact"]
        assert len(index.search(vectors(1)[0], 5)) == 5
    assert "faiss is left out: " in caplog.text
    assert "writes files that are not known" in caplog.text


def test_faiss_is_used_where_its_openmp_bears_that_of_torch(monkeypatch):
    from edgeembed_runtime.index.ann import faiss

    monkeypatch.delenv("KMP_DUPLICATE_LIB_OK", raising=False)
    for system in ("darwin", "win32"):
        monkeypatch.setattr(faiss.sys, "platform", system)
        assert not FAISS.is_available()
    monkeypatch.setenv("KMP_DUPLICATE_LIB_OK", "TRUE")
    assert FAISS.is_available()


def test_a_faiss_that_is_too_old_is_not_used(monkeypatch):
    import faiss

    monkeypatch.setattr(faiss, "__version__", "1.11.0")
    assert not FAISS.is_available()
