"""`edgeembed index --fast` and `--deepen`: by the table at first, by the model where it matters."""

import pytest

from edgeembed import EmbeddingCache, Encoder, Index
from edgeembed.ingest.second_stage import SecondStage
from edgeembed_runtime.bundle.packaged import bundle_directory
from edgeembed_runtime.errors import BundleNotFoundError

TEXTS = {
    "cats.md": "# Animals\n\nThe cat sat on the mat. Dogs bark at night.\n",
    "trains.md": "# Travel\n\nThe train leaves the station at noon. Tickets are sold there.\n",
    "soup.md": "# Kitchen\n\nSoup is cooked with carrots and salt.\n",
}


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def fast(run_json, library, tiny_path, tmp_path):
    path = tmp_path / "fast.index"
    run_json("index", library, "--fast", "-m", tiny_path, "-i", path)
    return path


@pytest.fixture
def encoded(monkeypatch):
    """How many texts went through an engine as documents."""
    counts = []
    original = SecondStage.encode_document

    def spy(self, inputs):
        before = len(self._encoder._text._cache)
        found = original(self, inputs)
        counts.append(len(self._encoder._text._cache) - before)
        return found

    monkeypatch.setattr(SecondStage, "encode_document", spy)
    return counts


def test_vectors_are_the_tables_and_scores_the_models(run_json, fast, library, tiny_path):
    with Encoder.load("static") as table, Index.open(fast, encoder=table) as index:
        assert index.space == table.space
    best = run_json("search", "the train leaves at noon", "-i", fast)["hits"][0]
    assert best["key"].startswith(f"{library}/trains.md#")
    with Encoder.load(tiny_path) as model:
        document = f"{best['title']}\n{best['document']}"
        expected = model.similarity(
            model.encode_query("the train leaves at noon"), model.encode_document([document])
        )
    assert best["cosine"] == pytest.approx(float(expected[0, 0]), abs=1e-6)


def test_what_was_scored_once_is_not_encoded_again(run_json, fast, encoded):
    first = run_json("search", "the cat", "-i", fast)
    assert sum(encoded) == len(TEXTS)
    encoded.clear()
    again = run_json("search", "the cat", "-i", fast)
    assert [hit["key"] for hit in again["hits"]] == [hit["key"] for hit in first["hits"]]
    assert sum(encoded) == 0


def test_queries_are_not_kept(run_json, fast):
    run_json("search", "the cat", "-i", fast)
    run_json("search", "the dog", "-i", fast)
    kept = EmbeddingCache(fast / "second-stage.sqlite3")
    assert len(kept) == len(TEXTS)
    kept.close()


def test_deepen_encodes_the_rest_ahead(run, run_json, fast, encoded):
    assert run_json("status", fast)["waiting"] == len(TEXTS)
    report = run_json("index", "--deepen", "-i", fast)
    assert report["deepened"] == len(TEXTS)
    assert run_json("status", fast)["waiting"] == 0
    assert sum(encoded) == len(TEXTS)
    encoded.clear()
    assert run("index", "--deepen", "-i", fast).exit_code == 0
    run_json("search", "the cat", "-i", fast)
    assert sum(encoded) == 0


def test_a_fast_index_stays_fast_when_it_is_brought_up_to_date(run_json, fast, library):
    (library / "new.md").write_text("A violin is played.")
    assert run_json("index", library, "-i", fast)["indexed"] == 1
    assert run_json("index", library, "--fast", "-i", fast)["unchanged"] == len(TEXTS) + 1
    assert run_json("search", "violin", "-i", fast)["hits"][0]["key"].endswith("new.md#0")


def test_keyword_search_scores_by_words_alone(run_json, fast, encoded):
    (hit,) = run_json("search", "carrots", "-i", fast, "--mode", "keyword")["hits"]
    assert hit["cosine"] is None
    assert encoded == []


def test_a_second_stage_that_is_gone_is_named(run, fast, tiny_path):
    tiny_path.rename(tiny_path.with_name("elsewhere"))
    result = run("search", "the cat", "-i", fast)
    assert result.exit_code == 1
    assert str(tiny_path) in result.stderr
    tiny_path.with_name("elsewhere").rename(tiny_path)


def test_without_permission_to_write_vectors_are_not_kept(fast, tiny_path, monkeypatch):
    blocked = fast / "second-stage.sqlite3"
    blocked.mkdir()
    with (
        SecondStage(fast, tiny_path) as stage,
        Encoder.load("static") as table,
        Index.open(fast, encoder=table) as index,
    ):
        assert index.search("the cat", rerank=stage)


def test_fast_and_deepen_are_refused_where_they_mean_nothing(run, library, tiny_path, tmp_path):
    slow = tmp_path / "slow.index"
    run("index", library, "-m", tiny_path, "-i", slow)
    for arguments in (["index", library, "--fast"], ["index", "--deepen"]):
        result = run(*arguments, "-i", slow)
        assert result.exit_code == 1
        assert arguments[-1] in result.stderr and "slow.index" in result.stderr
    result = run("index", "-i", slow)
    assert result.exit_code == 1 and "files or folders" in result.stderr


def test_the_second_stage_must_be_a_bundle(fast, tmp_path):
    with pytest.raises(BundleNotFoundError):
        SecondStage(fast, tmp_path / "nowhere")


def test_a_query_longer_than_the_model_reads_is_said(run, fast):
    result = run("search", "the cat sat on the mat " * 100, "-i", fast)
    assert result.exit_code == 0
    assert "Note: the query has" in result.stderr


def test_a_link_in_a_strangers_folder_is_neither_followed_nor_filled(tmp_path):
    folder = tmp_path / "index"
    folder.mkdir()
    (folder / "second-stage.sqlite3").symlink_to(tmp_path / "elsewhere.sqlite3")
    with SecondStage(folder, bundle_directory("static")) as stage:
        assert stage.encode_document(["a cat"]).shape == (1, stage.dim)
    assert not (tmp_path / "elsewhere.sqlite3").exists()
