"""The bundle inside the package: what it is, what it is worth, and that the commands use it."""

import json
import os

import numpy as np
import pytest

from edgeembed import Encoder
from edgeembed_runtime.bundle.files import default_bundle

MAX_BYTES = 8_000_000


@pytest.fixture(scope="module")
def encoder():
    with Encoder.load(verify="golden") as made:
        yield made


def test_it_is_small_and_says_where_it_comes_from():
    files = {file.name: file for file in default_bundle().iterdir()}
    assert sum(file.stat().st_size for file in files.values()) <= MAX_BYTES
    assert {"LICENSE", "NOTICE", "README.md"} <= set(files)
    card = files["README.md"].read_text(encoding="utf-8")
    assert "licence: apache-2.0" in card.lower()
    assert "all-MiniLM-L6-v2" in card


def test_it_is_right_on_this_machine_and_runs_as_a_table(encoder):
    assert encoder.self_test().ok
    assert encoder.manifest.text.static
    assert encoder.normalized
    assert encoder.deterministic


def test_batches_keep_the_bits_of_its_texts(encoder):
    texts = [f"text {n} of " + "words " * (n % 40) for n in range(300)]
    found = encoder.encode(texts)
    assert found.tobytes() == np.stack([encoder.encode(text) for text in texts]).tobytes()


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("A man plays a guitar.", "Someone is making music.", "The stock market fell."),
        ("How do I reset my password?", "I forgot my login details.", "A recipe for soup."),
        ("the dog ran in the park", "a puppy runs outside", "the parliament passed a law"),
        ("a small red car", "a little red automobile", "the theory of relativity"),
    ],
)
def test_what_means_the_same_is_nearer(encoder, text, near, far):
    scores = encoder.similarity(encoder.encode([text]), encoder.encode([near, far]))[0]
    assert scores[0] > scores[1] + 0.1


def test_embed_needs_no_model(run, tmp_path, encoder):
    result = run("embed", stdin="a small text\n")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)["embedding"]
    np.testing.assert_allclose(found, encoder.encode("a small text"), atol=1e-6)
    (tmp_path / "notes.txt").write_text("one\ntwo\n", encoding="utf-8")
    result = run("embed", "notes.txt", "-o", "vectors.npy")
    assert result.exit_code == 0, result.stderr
    assert np.load("vectors.npy").shape == (2, encoder.dim)


def test_embed_takes_the_model_of_the_environment(run, tiny_path, monkeypatch):
    monkeypatch.setenv("EDGEEMBED_MODEL", str(tiny_path))
    assert len(json.loads(run("embed", stdin="a text\n").stdout)["embedding"]) == 16


def test_index_and_search_need_no_model(run, run_json, notes):
    assert run("index", notes).exit_code == 0
    hits = run_json("search", "a train that departs")["hits"]
    assert "trains.txt" in hits[0]["metadata"]["source"]


def test_an_index_of_the_default_bundle_remembers_no_path(run, notes):
    from edgeembed import Index

    run("index", notes)
    with Index.open("edgeembed.index") as index:
        assert index.info["bundle"] == ""


@pytest.mark.slow
def test_the_demo_answers_without_torch(command, tmp_path):
    code = (
        "import sys; sys.modules.update(torch=None, transformers=None, onnx=None);"
        "from edgeembed.cli import main; sys.argv = ['edgeembed', 'demo', '--json']; main()"
    )
    result = command(code=code, EDGEEMBED_CACHE=str(tmp_path / "cache"), PATH=os.environ["PATH"])
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout)["answers"]
    first = {hit["key"] for hit in answers[0]["hits"]}
    assert any(key.startswith("webbrowser") for key in first)
