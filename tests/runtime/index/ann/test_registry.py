"""Third-party ANN backends: registered, used, missing, and lying. No answer is ever wrong."""

import dataclasses
import logging
import shutil
import sqlite3

import numpy as np
import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime.errors import IndexCorruptError, InputError, StorageError
from edgeembed_runtime.index.ann import registry
from edgeembed_runtime.index.ann.registry import register_ann_backend
from edgeembed_runtime.index.search import approximate
from helpers.registries import keep_registries

pytestmark = pytest.mark.slow

N, DIM = 300, 16
MAGIC = b"toy1"


class ToyScan:
    """Scans a copy of the vectors."""

    def __init__(self, rows):
        self.rows = rows

    def query(self, vector, count, effort):
        return np.argsort(-(self.rows @ vector), kind="stable")[:count]

    def close(self):
        self.rows = None


class Toy:
    """Brute force over a plain file: what it was built with, then float32 rows."""

    name = "toy"
    suffix = "toy"
    build_parameters = range(1, 10)
    default_build_parameter = 3
    first_effort = 1

    def is_available(self):
        return True

    def fits(self, shape):
        return shape.n >= 2

    def build(self, path, rows, shape):
        data = rows.take(np.arange(shape.n)).astype("<f4").tobytes()
        path.write_bytes(MAGIC + bytes([shape.build_parameter]) + data)

    def find_problem(self, path, shape):
        data = path.read_bytes()
        if data[:5] != MAGIC + bytes([shape.build_parameter]):
            return "its head is wrong"
        return None if len(data) == 5 + shape.n * shape.dim * 4 else "its size is wrong"

    def load(self, path, size, shape):
        problem = self.find_problem(path, shape)
        if problem is not None:
            raise IndexCorruptError(f"{path} is damaged: {problem}")
        rows = np.frombuffer(path.read_bytes(), "<f4", offset=5)
        return self.loaded(rows.reshape(shape.n, shape.dim))

    def loaded(self, rows):
        return ToyScan(rows)


@pytest.fixture(autouse=True)
def _registry_of_this_test(monkeypatch):
    keep_registries(monkeypatch)


def settings(backend="toy", **others):
    return IndexSettings(ann_min_rows=50, backend=backend, **others)


def fill(path, rows, chosen):
    """An index of one compacted segment, open for writing."""
    index = Index.create(path, dim=DIM, settings=chosen)
    keys = [str(number) for number in range(len(rows))]
    index.upsert(keys, vectors=rows, metadatas=[{"n": n} for n in range(len(rows))])
    index.compact()
    return index


def segment_files(path):
    return sorted(file.suffix for file in (path / "seg").iterdir())


def assert_exact_answers(index, queries):
    for query in queries:
        found = index.search(query, 10)
        assert found == index.search(query, 10, exact=True)
        assert len(found) == 10
    filtered = index.search(queries[0], 5, where={"n": {"$lt": 40}})
    assert filtered == index.search(queries[0], 5, where={"n": {"$lt": 40}}, exact=True)
    assert index.search_many(queries, 5) == index.search_many(queries, 5, exact=True)


def test_a_registered_backend_is_built_measured_stored_and_searched(tmp_path, vectors):
    register_ann_backend(Toy())
    with fill(tmp_path / "i", vectors(N), settings()) as index:
        (segment,) = index.stats().segments
        assert (segment.backend, segment.build_parameter, segment.recall) == ("toy", 3, 1.0)
        assert segment.effort >= 1
        assert segment.ann_ms > 0
        assert segment_files(tmp_path / "i") == [".f32", ".ids", ".toy"]
        assert_exact_answers(index, vectors(5, seed=3))
        assert index.verify().ok
        index.backup(tmp_path / "copy")
    with Index.open(tmp_path / "copy") as copy:
        assert copy.stats().segments == (segment,)
        assert_exact_answers(copy, vectors(5, seed=3))


def test_what_it_is_built_with_is_stored_in_the_column_trees(tmp_path, vectors):
    register_ann_backend(Toy())
    with fill(tmp_path / "i", vectors(N), settings(build_parameter=7)) as index:
        assert index.stats().segments[0].build_parameter == 7
    connection = sqlite3.connect(tmp_path / "i" / "edgeembed.sqlite3")
    assert connection.execute("SELECT backend, trees FROM segment").fetchall() == [("toy", 7)]
    roles = {role for (role,) in connection.execute("SELECT role FROM segfile")}
    connection.close()
    assert roles == {"f32", "ids", "toy"}
    (file,) = (tmp_path / "i" / "seg").glob("*.toy")
    assert file.read_bytes()[4] == 7


def test_auto_tries_the_next_backend_where_one_finds_too_little(tmp_path, vectors, monkeypatch):
    monkeypatch.setattr(registry, "_backends", {})
    too_few = lying(name="too_few", suffix="toofew", loaded=lambda _, rows: TooFew(rows))
    register_ann_backend(too_few)
    asked = []

    class Watched(Toy):
        name = suffix = "watched"

        def build(self, path, rows, shape):
            asked.append(shape.n)
            super().build(path, rows, shape)

    register_ann_backend(Watched())
    fill(tmp_path / "i", vectors(N), settings("auto")).close()
    assert asked[0] == N - N // 4  # without the rows held out; the whole only if it is fastest


def test_it_is_not_built_where_it_does_not_fit_or_is_not_available(tmp_path, vectors, caplog):
    class TooLarge(Toy):
        def fits(self, shape):
            return shape.n > N

    class Missing(Toy):
        name = suffix = "missing"

        def is_available(self):
            return False

    register_ann_backend(TooLarge())
    register_ann_backend(Missing())
    for backend in ("toy", "missing"):
        with fill(tmp_path / backend, vectors(N), settings(backend)) as index:
            assert index.stats().segments[0].backend == "exact"
            assert segment_files(tmp_path / backend) == [".f32", ".ids"]
    assert caplog.text == ""


@pytest.fixture
def built(tmp_path, vectors):
    """An index with a segment of a backend that is no longer registered."""
    register_ann_backend(Toy())
    fill(tmp_path / "i", vectors(N), settings()).close()
    del registry._backends["toy"]
    return tmp_path / "i"


def test_a_segment_of_a_backend_that_is_not_registered_is_scanned(built, vectors, caplog):
    with Index.open(built) as index:
        assert_exact_answers(index, vectors(5, seed=3))
        assert index.stats().segments[0].backend == "exact"
        assert index.verify().ok
    assert caplog.text.count("built with the ANN backend toy, which is not registered here") == 1


def test_its_file_is_still_checked_by_size_and_hash(built):
    (file,) = (built / "seg").glob("*.toy")
    data = bytearray(file.read_bytes())
    data[9] ^= 1
    file.write_bytes(data)
    with Index.open(built) as index:
        assert any(file.name in problem for problem in index.verify().problems)


def test_an_index_with_it_is_written_to_copied_and_cleaned_up(built, vectors, tmp_path):
    with Index.open(built, mode="rw", settings=settings("exact")) as index:
        index.backup(tmp_path / "copy")
        index.upsert(["new"], vectors=vectors(1, seed=8))
        assert segment_files(built) == [".f32", ".ids", ".toy"]
        index.compact()
        assert segment_files(built) == [".f32", ".ids"]
        assert len(index) == N + 1
        assert index.verify().ok
    register_ann_backend(Toy())
    with Index.open(tmp_path / "copy") as copy:
        assert copy.stats().segments[0].backend == "toy"


@pytest.mark.parametrize("backend", ["", "Toy", "to-y", "9toy", "x" * 33, 7, b"toy", "to\0y"])
def test_a_backend_that_nobody_could_have_registered_is_damage(built, backend):
    connection = sqlite3.connect(built / "edgeembed.sqlite3", isolation_level=None)
    connection.execute("UPDATE segment SET backend = ?", (backend,))
    connection.close()
    for mode in ("r", "rw"):
        with pytest.raises(IndexCorruptError, match="damaged"):
            Index.open(built, mode=mode)


@pytest.mark.parametrize("suffix", ["TOY", "t.oy", "x" * 17, "t/oy", ".", "", "to y", "töy"])
def test_a_suffix_that_no_backend_may_have_is_damage(built, suffix):
    connection = sqlite3.connect(built / "edgeembed.sqlite3", isolation_level=None)
    connection.execute(
        "UPDATE segfile SET role = ?1, name = replace(name, '.toy', '.' || ?1) WHERE role = 'toy'",
        (suffix,),
    )
    connection.close()
    with pytest.raises(IndexCorruptError, match="segment file"):
        Index.open(built)


def test_files_that_are_not_the_index_s_own_are_never_removed(tmp_path, vectors):
    with fill(tmp_path / "i", vectors(N), settings("exact")):
        pass
    folder = tmp_path / "i" / "seg"
    uuid = "0123456789abcdef" * 2
    foreign = [f"{uuid}.txt", f"{uuid}.toy", "notes.f32", f"{uuid}.f32.bak", f"{uuid.upper()}.f32"]
    own = [f"{uuid}.f32", f"{uuid}.ids", f"{uuid}.i8", f"{uuid}.faiss", f"{uuid}.ann"]
    own.append(f"{uuid}.usearch")
    for name in foreign + own:
        (folder / name).write_bytes(b"x")
    (folder / f"{uuid[::-1]}.f32").mkdir()
    Index.open(tmp_path / "i", mode="rw").close()
    left = {path.name for path in folder.iterdir() if uuid in path.name.lower()}
    assert left == {name for name in foreign if uuid in name.lower()}
    assert (folder / "notes.f32").exists()
    assert (folder / f"{uuid[::-1]}.f32").is_dir()
    register_ann_backend(Toy())
    Index.open(tmp_path / "i", mode="rw").close()
    assert not (folder / f"{uuid}.toy").exists()
    assert (folder / f"{uuid}.txt").exists()


def lying(**members):
    return type("Liar", (Toy,), members)()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"name": "annoy"}, "annoy: the name is taken"),
        ({"name": "auto"}, "auto: the name is taken"),
        ({"name": "exact"}, "exact: the name is taken"),
        ({"name": "Toy"}, "expected a name"),
        ({"name": ""}, "expected a name"),
        ({"name": None}, "expected a name"),
        ({"name": "toy; --"}, "expected a name"),
        ({"suffix": "ann"}, "the suffix 'ann' is taken"),
        ({"suffix": "f32"}, "the suffix 'f32' is taken"),
        ({"suffix": "ids"}, "the suffix 'ids' is taken"),
        ({"suffix": "i8"}, "the suffix 'i8' is taken"),
        ({"suffix": "../x"}, "expected a suffix"),
        ({"suffix": ".toy"}, "expected a suffix"),
        ({"suffix": "x" * 17}, "expected a suffix"),
        ({"suffix": 7}, "expected a suffix"),
        ({"first_effort": 0}, "first_effort"),
        ({"first_effort": "1"}, "first_effort"),
        ({"default_build_parameter": 11}, "build_parameters"),
        ({"build_parameters": range(0)}, "build_parameters"),
        ({"build_parameters": (1, 2, 3)}, "build_parameters"),
        ({"build_parameters": range(-1, 9)}, "build_parameters"),
        ({"build_parameters": range(9, 0, -1)}, "build_parameters"),
        ({"build_parameters": range(1, 1 << 40)}, "build_parameters"),
        ({"query": 1, "load": None}, r"expected a method load\(\)"),
        ({"fits": True}, r"expected a method fits\(\)"),
    ],
)
def test_what_cannot_be_registered_is_refused_in_one_line(members, message):
    before = dict(registry._backends)
    with pytest.raises(InputError, match=message) as caught:
        register_ann_backend(lying(**members))
    assert "\n" not in str(caught.value)
    assert registry._backends == before


def test_a_name_is_registered_once():
    register_ann_backend(Toy())
    with pytest.raises(InputError, match="toy: the name is taken"):
        register_ann_backend(Toy())
    with pytest.raises(InputError, match="suffix 'toy' is taken"):
        register_ann_backend(lying(name="toy2"))


def raising(error):
    def method(*_):
        raise error

    return method


class TooFew(ToyScan):
    def query(self, vector, count, effort):
        return np.empty(0, np.int64)


def answering(change):
    """Members of a backend whose right answers are then changed."""

    class Changed(ToyScan):
        def query(self, vector, count, effort):
            return change(super().query(vector, count, effort))

    return {"loaded": lambda _, rows: Changed(rows)}


class ChangesItsQuery(ToyScan):
    def query(self, vector, count, effort):
        vector[:] = 0
        return super().query(vector, count, effort)


class CannotClose(ToyScan):
    def close(self):
        raise RuntimeError("stuck")


LIES = {
    "available raises": ({"is_available": raising(KeyError("x"))}, "build() raised KeyError"),
    "fits raises": ({"fits": raising(RuntimeError("boom\nmore"))}, "raised RuntimeError: boom"),
    "build raises": ({"build": raising(ZeroDivisionError("0"))}, "raised ZeroDivisionError: 0"),
    "no file": ({"build": lambda *_: None}, "build() wrote no file"),
    "a folder": ({"build": lambda _, path, *__: path.mkdir()}, "build() wrote no file"),
    "a link": ({"build": lambda _, path, *__: path.symlink_to(__file__)}, "wrote no file"),
    "load raises": ({"load": raising(ValueError("no"))}, "load() raised ValueError: no"),
    "loads nothing": ({"load": lambda *_: None}, "load() expected an object"),
    "loads nonsense": ({"load": lambda *_: 7}, "load() expected an object"),
    "query raises": (answering(lambda _: 1 // 0), "query() raised ZeroDivisionError"),
    "beyond the end": (answering(lambda found: found + N), "query() expected at most"),
    "before the start": (answering(lambda found: found - N), "query() expected at most"),
    "twice the same": (answering(lambda found: found * 0), "query() expected at most"),
    "too many": (answering(lambda _: np.arange(N)), "query() expected at most"),
    "floats": (answering(lambda found: found / 2), "query() expected at most"),
    "booleans": (answering(lambda found: found[:2] > 7), "query() expected at most"),
    "a table": (answering(lambda found: found[None]), "query() expected at most"),
    "nothing": (answering(lambda _: None), "query() expected at most"),
    "a text": (answering(lambda _: "0 1 2"), "query() expected at most"),
    "ragged": (answering(lambda _: [[1], [1, 2]]), "query() raised ValueError"),
    "a changed query": ({"loaded": lambda _, rows: ChangesItsQuery(rows)}, "query() raised"),
    "cannot close": ({"loaded": lambda _, rows: CannotClose(rows)}, "close() raised RuntimeError"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_backend_that_lies_when_it_is_built_is_left_out(lie, tmp_path, vectors, caplog):
    members, message = LIES[lie]
    register_ann_backend(lying(**members))
    with fill(tmp_path / "i", vectors(N), settings()) as index:
        assert index.stats().segments[0].backend == "exact"
        assert_exact_answers(index, vectors(5, seed=3))
        assert index.verify().ok
        (record,) = (r for r in caplog.records if r.levelno == logging.WARNING)
        assert record.getMessage().startswith("toy is left out: ANN backend toy: ")
        assert message in record.getMessage()
        assert "\n" not in record.getMessage()
        index.compact()
        expected = [".f32", ".ids"] if lie != "a folder" else [".f32", ".ids", ".toy", ".toy"]
        assert segment_files(tmp_path / "i") == expected


def test_one_that_finds_too_little_is_not_kept(tmp_path, vectors):
    register_ann_backend(lying(loaded=lambda _, rows: TooFew(rows)))
    with fill(tmp_path / "i", vectors(N), settings()) as index:
        assert index.stats().segments[0].backend == "exact"
        assert segment_files(tmp_path / "i") == [".f32", ".ids"]


def test_the_others_are_still_tried(tmp_path, vectors, monkeypatch):
    monkeypatch.setattr(registry, "_backends", {})
    register_ann_backend(lying(name="liar", suffix="liar", build=lambda *_: None))
    register_ann_backend(Toy())
    monkeypatch.setattr(
        "edgeembed_runtime.index.ann.selection.measure_ann",
        lambda *_, max_ms, **__: registry_measured(max_ms),
    )
    with fill(tmp_path / "i", vectors(N), settings("auto")) as index:
        assert index.stats().segments[0].backend == "toy"


def registry_measured(max_ms):
    from edgeembed_runtime.index.ann.calibration import Measured
    from edgeembed_runtime.index.ann.effort import Efforts

    efforts = Efforts(depths=(10,), near=(1,), far=None, far_below=-2.0, recall=1.0, bound=1.0)
    return Measured(efforts=efforts, ms=max_ms / 2)


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (raising(OSError(28, "No space left on device")), StorageError),
        (raising(MemoryError("no memory")), MemoryError),
        (lambda _, path, *__: path.write_bytes(b"not what load() expects"), StorageError),
    ],
)
def test_a_full_disk_or_memory_is_no_lie_and_stops_the_compaction(tmp_path, vectors, build, error):
    register_ann_backend(lying(build=build))
    with Index.create(tmp_path / "i", dim=DIM, settings=settings()) as index:
        index.upsert([str(n) for n in range(N)], vectors=vectors(N))
        with pytest.raises(error):
            index.compact()
        assert index.verify().ok
        assert len(index.search(vectors(1)[0], N)) == N


@pytest.mark.parametrize("lie", sorted(LIES))
def test_a_backend_that_lies_later_is_given_up_and_the_scan_answers(lie, tmp_path, vectors, caplog):
    register_ann_backend(Toy())
    fill(tmp_path / "i", vectors(N), settings()).close()
    members, _ = LIES[lie]
    del registry._backends["toy"]
    register_ann_backend(lying(**members))
    with Index.open(tmp_path / "i") as index:
        assert_exact_answers(index, vectors(5, seed=3))
        warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        assert len(warnings) <= 1
        assert all(w.startswith("searching a segment exactly: ANN backend toy") for w in warnings)
        if "query()" in LIES[lie][1] or "load()" in LIES[lie][1]:
            assert warnings
            assert index.stats().segments[0].backend == "exact"


@pytest.mark.parametrize(
    ("find_problem", "message"),
    [
        (raising(RuntimeError("boom")), "find_problem() raised RuntimeError: boom"),
        (lambda *_: "it is green", "it is green"),
        (raising(OSError(5, "I/O error")), "I/O error"),
    ],
)
def test_verify_lists_what_its_check_says_or_that_it_failed(find_problem, message, built):
    register_ann_backend(lying(find_problem=find_problem))
    with Index.open(built) as index:
        (problem,) = index.verify().problems
        assert message in problem


@pytest.mark.parametrize("damage", [b"", b"toy1", b"x" * 19205])
def test_a_damaged_file_of_it_is_searched_exactly(built, vectors, damage, caplog):
    register_ann_backend(Toy())
    (file,) = (built / "seg").glob("*.toy")
    file.write_bytes(damage)
    with Index.open(built, mode="rw") as index:
        assert_exact_answers(index, vectors(5, seed=3))
        assert "searching a segment exactly" in caplog.text
        assert any(file.name in problem for problem in index.verify().problems)


def test_an_index_copied_by_hand_keeps_its_backend(built, tmp_path, vectors):
    shutil.copytree(built, tmp_path / "moved")
    register_ann_backend(Toy())
    with Index.open(tmp_path / "moved") as index:
        assert index.stats().segments[0].backend == "toy"
        assert_exact_answers(index, vectors(5, seed=3))


class Choosy(ToyScan):
    most_effort = 1

    def query_among(self, vector, count, effort, wanted):
        order = np.argsort(-(self.rows @ vector), kind="stable")
        return order[wanted[order]][:count]


class Careless(Choosy):
    def query_among(self, vector, count, effort, wanted):
        return self.query(vector, count, effort)


@pytest.mark.parametrize("loaded", [Choosy, Careless])
def test_one_that_finds_rows_that_are_not_wanted_is_given_up(
    tmp_path, vectors, loaded, caplog, monkeypatch
):
    register_ann_backend(lying(loaded=lambda _, rows: loaded(rows)))
    monkeypatch.setattr(approximate, "depth_needed", lambda *_: 1_000_000)
    with fill(tmp_path / "i", vectors(N), settings("toy")) as index:
        (view,) = index._current().segments
        info = view.segment.info
        assert info.efforts is not None
        object.__setattr__(info, "exact_ms", 1e3)
        object.__setattr__(
            info, "efforts", dataclasses.replace(info.efforts, far=info.efforts.near)
        )
        wanted = {str(n) for n in range(0, N, 3)}
        for query in vectors(5, seed=4):
            gone = [str(n) for n in range(N) if str(n) not in wanted]
            hits = index.search(query, 7, exclude=gone)
            assert hits == index.search(query, 7, exclude=gone, exact=True)
    assert ("of those wanted" in caplog.text) == (loaded is Careless)
