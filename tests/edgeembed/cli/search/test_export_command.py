"""`edgeembed export`: what is in an index, as .npy with .jsonl, and as Parquet."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeembed import Index


@pytest.fixture
def stored(indexed):
    with Index.open(indexed) as index:
        index_batches = list(index.batches())
    documents = [document for batch in index_batches for document in batch.documents]
    return documents, np.concatenate([batch.vectors for batch in index_batches])


@pytest.fixture(params=[1, 3, 1000])
def any_batch(request, monkeypatch):
    read = Index.batches
    monkeypatch.setattr(Index, "batches", lambda self: read(self, request.param))


def test_npy_has_the_vectors_and_jsonl_the_rest_in_the_same_order(
    run_json, indexed, stored, any_batch
):
    summary = run_json("export", indexed, "-o", "out.npy")
    documents, vectors = stored
    assert summary["files"] == ["out.npy", "out.jsonl"]
    assert (summary["documents"], summary["dim"]) == vectors.shape
    exported = np.load("out.npy")
    assert exported.dtype == np.float32
    assert np.array_equal(exported, vectors)
    with Path("out.jsonl").open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    assert records == [
        {
            "written_by": "edgeembed",
            "key": d.key,
            "document": d.document,
            "metadata": d.metadata,
        }
        for d in documents
    ]


def test_parquet_has_one_row_for_each_document(run, indexed, stored, any_batch):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    result = run("export", indexed, "-o", "out.parquet")
    assert result.exit_code == 0, result.stderr
    documents, vectors = stored
    assert f"out.parquet: {len(documents)} documents, vectors of 16" in result.stderr
    table = pq.read_table("out.parquet")
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 16)
    assert table.schema.metadata[b"edgeembed.space"] == b"tiny"
    assert table["key"].to_pylist() == [d.key for d in documents]
    assert table["document"].to_pylist() == [d.document for d in documents]
    assert [json.loads(m) for m in table["metadata"].to_pylist()] == [d.metadata for d in documents]
    flat = table["vector"].combine_chunks().flatten().to_numpy()
    assert np.array_equal(flat.reshape(-1, 16), vectors)


@pytest.mark.parametrize("name", ["e.npy", "e.parquet"])
def test_an_index_without_documents_texts_or_metadata_can_be_exported(run, tmp_path, name):
    with Index.create(tmp_path / "own", dim=3) as index:
        assert run("export", tmp_path / "own", "-o", name).exit_code == 0
        index.upsert(["a"], vectors=[[1, 0, 0]])
    assert run("export", tmp_path / "own", "-o", name, "--overwrite").exit_code == 0
    if name == "e.npy":
        assert np.load(name).tolist() == [[1, 0, 0]]
        with Path("e.jsonl").open(encoding="utf-8") as line:
            record = {"key": "a", "document": None, "metadata": None}
            assert json.load(line) == {"written_by": "edgeembed", **record}
    else:
        table = pytest.importorskip("pyarrow.parquet").read_table(name)
        row = {"key": "a", "document": None, "metadata": None, "vector": [1, 0, 0]}
        assert table.to_pylist() == [row]


@pytest.mark.parametrize("name", ["x.csv", "x", "x.parquet.gz"])
def test_another_ending_is_refused(fails, indexed, name):
    assert f"output {name}: expected a name in .parquet or .npy" in fails(
        "export", indexed, "-o", name
    )
    assert not Path(name).exists()


def test_what_is_no_index_is_named(fails, notes):
    assert "is not an edgeembed index" in fails("export", notes, "-o", "x.npy")


@pytest.mark.parametrize("name", ["x.npy", "x.parquet"])
def test_an_export_that_fails_leaves_the_old_file_and_nothing_else(
    run, indexed, name, monkeypatch, tmp_path
):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / name).write_bytes(b"old")
    read = Index.batches

    def broken(self):
        yield from read(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(Index, "batches", broken)
    assert run("export", indexed, "-o", folder / name, "--overwrite").exit_code == 130
    assert [(p.name, p.read_bytes()) for p in folder.iterdir()] == [(name, b"old")]


def test_a_folder_that_is_not_there_is_one_line(fails, indexed):
    assert "could not write nowhere/x." in fails("export", indexed, "-o", "nowhere/x.npy")


def test_parquet_without_pyarrow_names_the_extra(fails, indexed, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    line = fails("export", indexed, "-o", "x.parquet")
    assert "Parquet needs the extra 'parquet'. Run: pip install 'edgeembed[parquet]'" in line
    assert not Path("x.parquet").exists()
