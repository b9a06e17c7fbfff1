"""The map of an index: where the dots are, what they say, and that nothing in them can run."""

import json
import re

import numpy as np
import pytest
from sklearn.decomposition import PCA

from edgeembed import Index
from edgeembed.visualize.map_points import read_points
from edgeembed.visualize.projection import project
from edgeembed_runtime.errors import InputError, MissingExtraError

DIM = 8


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    return (rng.standard_normal((40, DIM)) * np.arange(DIM, 0, -1)).astype(np.float32)


@pytest.fixture
def make_index(tmp_path, vectors):
    """An index of 40 documents, 25 of them sealed, one replaced and one deleted."""

    def make(name="my.index", documents=None, metadatas=None):
        with Index.create(tmp_path / name, dim=DIM, space="tests") as index:
            keys = [f"k{n}" for n in range(40)]
            texts = documents or [f"document {n}" for n in range(40)]
            fields = metadatas or [{"kind": "ab"[n % 2], "size": n} for n in range(40)]
            index.upsert(
                keys[:25], documents=texts[:25], vectors=vectors[:25], metadatas=fields[:25]
            )
            index.compact()
            index.upsert(
                keys[25:], documents=texts[25:], vectors=vectors[25:], metadatas=fields[25:]
            )
        return tmp_path / name

    return make


def own_part(page):
    """The page without plotly's own script."""
    return re.sub(r"<script[^>]*>/\*\*.*?</script>", "", page, flags=re.S)


def test_vectors_come_back_as_they_were_in_the_order_asked_for(make_index, vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    with Index.open(make_index(), mode="rw") as index:
        index.delete("k3")
        index.upsert(["k5"], vectors=[[1, 0, 0, 0, 0, 0, 0, 0]])
        found = index.vectors(["k30", "k0", "k5", "k24"])
        np.testing.assert_allclose(found[[0, 1, 3]], unit[[30, 0, 24]], atol=1e-6)
        np.testing.assert_array_equal(found[2], np.eye(1, DIM)[0])
        assert index.vectors([]).shape == (0, DIM)
        with pytest.raises(InputError, match=r"keys\[1\]: expected a key of the index, got 'k3'"):
            index.vectors(["k0", "k3"])


def test_pca_is_scikit_learns(vectors):
    theirs = PCA(2, svd_solver="full").fit(vectors.astype(np.float64))
    ours = project(vectors, "pca", seed=0)
    assert ours.explained is not None
    np.testing.assert_allclose(ours.explained, theirs.explained_variance_ratio_, atol=1e-9)
    expected = theirs.transform(vectors.astype(np.float64))
    np.testing.assert_allclose(np.abs(ours.places), np.abs(expected), atol=1e-8)


def test_one_dimension_is_a_line():
    found = project(np.array([[1.0], [2.0], [4.0]], np.float32), "pca", seed=0)
    assert (found.places[:, 1] == 0).all()
    assert found.explained == pytest.approx((1.0, 0.0))


def test_vectors_that_are_all_the_same_are_an_error():
    with pytest.raises(InputError, match="expected vectors that differ, got 5"):
        project(np.ones((5, DIM), np.float32), "pca", seed=0)


def test_umap_places_every_vector_the_same_for_a_seed(vectors):
    pytest.importorskip("umap")
    first, again = (project(vectors, "umap", seed=1).places for _ in range(2))
    assert first.shape == (40, 2)
    np.testing.assert_array_equal(first, again)


def test_umap_that_is_not_installed_says_how(vectors, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    with pytest.raises(MissingExtraError, match="pip install umap-learn"):
        project(vectors, "umap", seed=0)


def test_a_large_index_is_drawn_from_and_the_page_says_so(make_index, run, tmp_path):
    path = make_index()
    with Index.open(path) as index:
        some = read_points(index, limit=10, seed=0)
        assert len(some.keys) == 10
        assert some.keys == read_points(index, limit=10, seed=0).keys
        assert some.keys != read_points(index, limit=10, seed=1).keys
        np.testing.assert_array_equal(some.vectors, index.vectors(some.keys))
    assert run("map", path, "-o", tmp_path / "m.html", "--limit", "10").exit_code == 0
    assert "10 documents, sampled from 40" in (tmp_path / "m.html").read_text(encoding="utf-8")


def test_the_page_has_texts_colors_and_no_need_of_a_network(make_index, run, tmp_path):
    result = run("map", make_index(), "-o", tmp_path / "m.html", "--color", "kind")
    assert result.exit_code == 0, result.stderr
    page = (tmp_path / "m.html").read_text(encoding="utf-8")
    assert "document 39" in page
    assert "my.index" in page
    assert '"name":"a"' in page
    assert '"name":"b"' in page
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=", page)


def test_the_same_index_gives_the_same_file(make_index, run, tmp_path):
    path = make_index()
    for name in ("a.html", "b.html"):
        run("map", path, "-o", tmp_path / name, "--color", "size")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_numbers_are_a_scale_and_many_values_share_a_color(make_index, run, tmp_path):
    fields = [
        {"size": n / 2, "name": f"name {n}", "rare": n if n == 7 else None} for n in range(40)
    ]
    path = make_index(metadatas=fields)
    for field, expected in (("size", "colorbar"), ("name", '"name":"others"'), ("rare", "none")):
        assert run("map", path, "-o", tmp_path / f"{field}.html", "--color", field).exit_code == 0
        assert expected in own_part((tmp_path / f"{field}.html").read_text("utf-8"))


def test_hostile_documents_are_text(make_index, run, tmp_path):
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    fields = [{evil: evil} for _ in range(40)]
    path = make_index(documents=[evil] * 40, metadatas=fields)
    arguments = ("map", path, "-o", tmp_path / "m.html", "--color", evil)
    assert run(*arguments).exit_code == 0
    page = (tmp_path / "m.html").read_text(encoding="utf-8")
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_documents_without_a_text_or_fields_are_shown_by_their_keys(tmp_path, run, vectors):
    with Index.create(tmp_path / "v.index", dim=DIM, space="tests") as index:
        index.upsert([f"k{n}" for n in range(5)], vectors=vectors[:5])
    summary = run("map", tmp_path / "v.index", "-o", tmp_path / "m.html", "--json")
    assert json.loads(summary.stdout)["documents"] == 5
    assert "k4" in (tmp_path / "m.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{index}", "--color", "nothing"), "expected a field of the metadata, kind, size, got"),
        (("{index}", "--method", "tsne"), "method: expected pca or umap, got 'tsne'"),
        (("{index}", "-o", "no/such/folder.html"), "could not write"),
        (("{empty}",), "expected 3 documents or more to map, found 0"),
        (("nothing.index",), "nothing.index"),
    ],
)
def test_bad_arguments_are_one_line_and_no_traceback(
    make_index, run, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    Index.create(tmp_path / "empty.index", dim=DIM, space="tests").close()
    names = {"index": make_index(), "empty": tmp_path / "empty.index"}
    result = run("map", *(argument.format(**names) for argument in arguments))
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "map.html").exists()
