from datetime import date, datetime, time, timedelta, timezone

import numpy as np
import pytest

from edgeembed import Index
from edgeembed_runtime.errors import EdgeEmbedError, InputError


@pytest.fixture
def index(tmp_path):
    with Index.create(tmp_path / "i", dim=4) as index:
        index.upsert(["there"], vectors=np.ones((1, 4)))
        yield index
        assert list(index.keys()) == ["there"]
        assert index.generation == 1


def _deep(levels):
    value = {}
    for _ in range(levels):
        value = {"x": value}
    return value


@pytest.mark.parametrize(
    "vectors",
    [
        [[1, 2, 3, np.nan]], [[1, 2, 3, np.inf]], [[0, 0, 0, 0]], [[1, 2, 3]], [1, 2, 3, 4],
        np.ones((1, 4), dtype=object), np.ones((1, 4), dtype=complex), [["a", "b", "c", "d"]],
        np.ones((1, 4), dtype=bool), np.ones((1, 4, 1)), np.ones((2, 4)), [[1, 2, 3, 4], [1]],
        "text", None, {},
    ],
)  # fmt: skip
def test_bad_vectors_are_refused(index, vectors):
    with pytest.raises(InputError):
        index.upsert(["new"], vectors=vectors)


def test_the_bad_row_is_named(index):
    rows = np.ones((3, 4))
    rows[2, 1] = np.nan
    with pytest.raises(InputError, match="row 2"):
        index.upsert(["a", "b", "c"], vectors=rows)
    with pytest.raises(InputError, match="row 1"):
        index.upsert(["a", "b"], vectors=[[1, 0, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    "keys",
    [[""], ["x" * 1025], ["a\0b"], ["\ud800"], [3], [None], [b"x"], "a", {"a": 1}, 5, None],
)
def test_bad_keys_are_refused(index, keys):
    with pytest.raises(InputError):
        index.upsert(keys, vectors=np.ones((1, 4)))


@pytest.mark.parametrize("documents", [["\udfff"], [3], [None], "a", ["a", "b"], []])
def test_bad_documents_are_refused(index, documents):
    with pytest.raises(InputError):
        index.upsert(["new"], documents=documents, vectors=np.ones((1, 4)))


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": float("nan")}, {"a": [float("inf")]}, {"a": 2**63}, {"a": -(2**63) - 1}, {1: 2},
        {"a": {1, 2}}, {"a": b"x"}, {"a": "\ud800"}, {"\ud800": 1}, {"a": "x\0"}, _deep(1000),
        "text", [1], 7, {"a": object()}, {"a": "x" * (2 << 20)},
        {"a": np.float32("nan")}, {"a": np.complex64(1)}, {"a": np.bytes_(b"x")}, {"a": np.ones(2)},
        {"a": np.timedelta64(1, "s")}, {"a": np.datetime64("NaT")}, {"a": np.uint64(2**63)},
        {"a": time(12)}, {"a": timedelta(1)},
    ],
)  # fmt: skip
def test_bad_metadata_is_refused(index, metadata):
    with pytest.raises(InputError):
        index.upsert(["new"], vectors=np.ones((1, 4)), metadatas=[metadata])


def test_lengths_must_agree(index):
    for arguments in (
        {"vectors": np.ones((3, 4))},
        {"vectors": np.ones((2, 4)), "documents": ["x"]},
        {"vectors": np.ones((2, 4)), "metadatas": [None]},
        {},
    ):
        with pytest.raises(InputError):
            index.upsert(["a", "b"], **arguments)


def test_scalars_of_numpy_and_dates_are_stored_as_json(tmp_path):
    berlin = timezone(timedelta(hours=2))
    index = Index.create(tmp_path / "i", dim=4)
    index.upsert(
        ["there"],
        vectors=np.ones((1, 4)),
        metadatas=[
            {
                "bool": np.bool_(True), "int": np.int8(-3), "uint": np.uint64(2**63 - 1),
                "float": np.float32(0.5), "str": np.str_("ü"), "list": [np.int64(1)],
                "day": date(2024, 5, 1), "time": datetime(2024, 5, 1, 12, 30, tzinfo=berlin),
                "old": datetime(1850, 1, 1, tzinfo=timezone(timedelta(seconds=3208))),
                "numpy": np.datetime64("2024-05-01T12:30:00.000000001"),
            }
        ],
    )  # fmt: skip
    assert index.get("there")[0].metadata == {
        "bool": True, "int": -3, "uint": 2**63 - 1, "float": 0.5, "str": "ü", "list": [1],
        "day": "2024-05-01", "time": "2024-05-01T12:30:00+02:00",
        "old": "1849-12-31T23:06:32+00:00", "numpy": "2024-05-01T12:30:00",
    }  # fmt: skip


@pytest.mark.parametrize("dim", [0, -1, 8193, 1.5, "3", None, True])
def test_bad_dimensions_are_refused(tmp_path, dim):
    with pytest.raises(InputError):
        Index.create(tmp_path / "i", dim=dim)
    assert not (tmp_path / "i").exists()


def test_every_number_type_is_accepted(tmp_path):
    with Index.create(tmp_path / "i", dim=4) as index:
        for kind in ("f2", "f4", "f8", ">f4", "i1", "i8", "u2"):
            rows = np.array([[1, 2, 3, 4], [4, 3, 2, 1]], dtype=kind)
            index.upsert([f"{kind}0", f"{kind}1"], vectors=rows)
        index.upsert(["strided"], vectors=np.arange(16.0).reshape(4, 4).T[1:2])
        assert index.search([1, 2, 3, 4], 1)[0].score == pytest.approx(1)
        assert index.verify().ok


@pytest.mark.parametrize(
    "arguments", [{"seal_rows": 0}, {"build_parameter": 20}, {"recall_floor": 2.0}]
)
def test_bad_settings_are_refused(arguments):
    from edgeembed import IndexSettings

    with pytest.raises(EdgeEmbedError):
        IndexSettings(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"backend": "voyager"},
            "expected one of auto, exact, faiss, usearch, annoy, got 'voyager'",
        ),
        ({"backend": "../annoy"}, "got '../annoy'"),
        ({"backend": None}, "got None"),
        ({"backend": "annoy", "build_parameter": 65}, "expected 1 to 64 for annoy, got 65"),
        ({"backend": "annoy", "build_parameter": 0}, "expected 1 to 64 for annoy, got 0"),
        ({"backend": "annoy", "build_parameter": 1.5}, "expected 1 to 64 for annoy, got 1.5"),
        ({"backend": "usearch", "build_parameter": 1}, "expected 0 to 0 for usearch, got 1"),
    ],
)
def test_settings_that_no_backend_can_meet_are_refused_before_anything_is_written(
    arguments, message, tmp_path, index
):
    from edgeembed import IndexSettings

    settings = IndexSettings(**arguments)
    with pytest.raises(InputError, match=message):
        Index.create(tmp_path / "new", dim=4, settings=settings)
    assert not (tmp_path / "new").exists()
    for mode in ("r", "rw"):
        with pytest.raises(InputError, match=message):
            Index.open(index.path, mode=mode, settings=settings)
