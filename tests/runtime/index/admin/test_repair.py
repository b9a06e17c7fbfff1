"""What can be saved of a damaged index."""

import sqlite3

import numpy as np
import pytest

from edgeembed import Index, IndexSettings
from edgeembed_runtime.errors import EdgeEmbedError, IndexCorruptError, IndexExistsError

N = 5000  # enough for a file of codes


@pytest.fixture
def rows(vectors):
    found = vectors(N)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture
def path(tmp_path, rows):
    path = tmp_path / "i"
    with Index.create(path, dim=16, space="fake-1", info={"made": "here"}) as index:
        keys = [str(i) for i in range(N)]
        index.upsert(
            keys,
            documents=[f"text {key}" for key in keys],
            vectors=rows,
            metadatas=[{"n": i} for i in range(N)],
        )
        index.compact()
        index.upsert(["tail"], documents=["tail text"], vectors=np.ones((1, 16)))
        index.upsert(["no text"], vectors=np.ones((1, 16)))
    return path


def file_of(path, role):
    (file,) = (path / "seg").glob(f"*.{role}")
    return file


def flip(file, *places):
    data = bytearray(file.read_bytes())
    for place in places:
        data[place] ^= 0x50
    file.write_bytes(data)


def edit(path, *statements):
    connection = sqlite3.connect(path / "edgeembed.sqlite3", isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def check(target, rows, report, off=()):
    """Everything that the report does not name is unchanged."""
    named = {*report.encoded, *report.approximate, *report.lost}
    with Index.open(target) as index:
        assert index.verify().ok
        assert index.info == {"made": "here"}
        keys = [str(i) for i in range(N) if str(i) not in named]
        expected = np.stack([rows[int(key)] for key in keys])
        np.testing.assert_allclose(index.vectors(keys), expected, atol=1e-7)
        stored = index.get(keys)
        assert [s.document for s in stored] == [f"text {key}" for key in keys]
        assert [s.metadata for s in stored] == [{"n": int(key)} for key in keys]
        assert len(index) == N + 2 - len(report.lost)
        assert report.intact == len(index) - len(report.encoded) - len(report.approximate)
    assert named == set(off)


def test_a_sound_index_is_copied(path, tmp_path, rows):
    check(tmp_path / "new", rows, Index.repair(path, tmp_path / "new"))


def test_codes_tell_which_vectors_are_damaged_and_stand_in(path, tmp_path, rows):
    flip(file_of(path, "f32"), 3 + 64 * 7, 3 + 64 * 4321)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    report = Index.repair(path, tmp_path / "new")
    check(tmp_path / "new", rows, report, off=["7", "4321"])
    assert report.approximate == ["7", "4321"]
    with Index.open(tmp_path / "new") as index:
        near = index.vectors(["7", "4321"])
    assert ((near * rows[[7, 4321]]).sum(axis=1) > 0.999).all()
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def test_an_encoder_makes_damaged_vectors_anew(path, tmp_path, rows, encoder):
    flip(file_of(path, "f32"), 3 + 64 * 7)
    report = Index.repair(path, tmp_path / "new", encoder=encoder)
    check(tmp_path / "new", rows, report, off=["7"])
    assert report.encoded == ["7"]
    expected = encoder.encode_document("text 7")
    with Index.open(tmp_path / "new") as index:
        assert index.vectors("7")[0] @ expected / np.linalg.norm(expected) > 0.99999


def test_lost_vectors_come_from_their_codes(path, tmp_path, rows):
    file_of(path, "f32").unlink()
    report = Index.repair(path, tmp_path / "new")
    assert len(report.approximate) == N
    with Index.open(tmp_path / "new") as index:
        found = index.vectors([str(i) for i in range(N)])
    assert ((found * rows).sum(axis=1) > 0.999).all()


def test_without_codes_what_has_unit_length_is_kept_as_it_is(path, tmp_path):
    flip(file_of(path, "f32"), 3 + 64 * 7)
    file_of(path, "i8").unlink()
    report = Index.repair(path, tmp_path / "new")
    assert report.lost == ["7"]
    assert len(report.approximate) == N - 1


def test_without_row_ids_only_an_encoder_helps(path, tmp_path, encoder):
    flip(file_of(path, "ids"), 100)
    report = Index.repair(path, tmp_path / "one")
    assert len(report.lost) == N
    assert report.intact == 2
    report = Index.repair(path, tmp_path / "two", encoder=encoder)
    assert len(report.encoded) == N
    with Index.open(tmp_path / "two", encoder=encoder) as index:
        assert index.search("text 77", 1)[0].key == "77"


def test_damaged_documents_and_tails_are_lost_and_named(path, tmp_path, rows):
    edit(
        path,
        "UPDATE doc SET text = 'other' WHERE key = '5'",
        "UPDATE doc SET text = x'ff' WHERE key = '6'",
        "UPDATE tail SET vec = zeroblob(64) WHERE docid = (SELECT max(docid) FROM tail)",
    )
    report = Index.repair(path, tmp_path / "new")
    check(tmp_path / "new", rows, report, off=["5", "6", "no text"])
    assert sorted(report.lost) == ["5", "6", "no text"]


def test_what_cannot_be_repaired_is_said(path, tmp_path, make_encoder):
    with pytest.raises(IndexExistsError):
        Index.repair(path, path)
    with pytest.raises(EdgeEmbedError, match=r"dim|space|component"):
        Index.repair(path, tmp_path / "new", encoder=make_encoder(dim=8))
    file = path / "edgeembed.sqlite3"
    file.write_bytes(b"x" * 5000)
    with pytest.raises(IndexCorruptError):
        Index.repair(path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_index_of_a_few_rows_without_codes(tmp_path, vectors):
    with Index.create(tmp_path / "i", dim=16, settings=IndexSettings(seal_rows=10)) as index:
        index.upsert([str(i) for i in range(30)], vectors=vectors(30))
    flip(next((tmp_path / "i" / "seg").glob("*.f32")), 3)
    report = Index.repair(tmp_path / "i", tmp_path / "new")
    assert (report.intact, len(report.approximate), report.lost) == (0, 29, ["0"])
