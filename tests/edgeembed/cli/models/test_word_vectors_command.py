"""Word vectors from the command line: `convert FILE OUT`, and `eval` on what comes of it."""

import pytest

from edgeembed.evaluate import open_models
from edgeembed_runtime.encoder.encoder import Encoder
from helpers import word_vector_files as files


@pytest.fixture
def glove(tmp_path):
    (tmp_path / "glove.txt").write_bytes(files.text(header=False))
    return tmp_path / "glove.txt"


def test_a_file_of_word_vectors_becomes_a_bundle(run, glove, tmp_path):
    result = run("convert", glove, tmp_path / "out", "--quantize", "int8", "--max-words", 5)
    assert result.exit_code == 0, result.stderr
    assert "mean of words" in result.stdout
    assert "5 words" in result.stderr
    with Encoder.load(tmp_path / "out") as encoder:
        assert encoder.vocabulary == files.WORDS[:5]


def test_json_has_the_notes(run_json, glove, tmp_path):
    tree = run_json("convert", glove, tmp_path / "out", "--unknown", "mean", "--normalize")
    assert tree["notes"] == ["13 words; unknown words: mean"]
    assert tree["head"] == ["Normalize"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pooling", "cls"], "--pooling: expected nothing, as it has no meaning"),
        (["--rotate", "pca"], "--rotate: expected nothing, as it has no meaning"),
        (["--unknown", "subword"], "expected zero, mean or error"),
        (["--quantize", "int3"], "expected int8 or fp16"),
    ],
)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(options, message, run, glove, tmp_path):
    result = run("convert", glove, tmp_path / "out", *options)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.strip().count("\n") == 0
    assert not (tmp_path / "out").exists()


def test_options_of_word_vectors_are_refused_for_models(run, tmp_path):
    result = run("convert", tmp_path, tmp_path / "out", "--max-words", 5)
    assert result.exit_code == 1
    assert "--max-words: expected nothing, as it has no meaning" in result.stderr


def test_eval_gives_a_bundle_the_figures_of_its_file(run, run_json, glove, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run("convert", glove, tmp_path / "out")
    rows = ["1.0\tthe\tcat", "9.5\tcat\tdog", "4.0\tmat\tsat", "2.0\ton\tran", "5.0\tdog\tzebra"]
    (tmp_path / "pairs.tsv").write_text("\n".join(rows))
    (tmp_path / "questions.txt").write_text(": some\nthe cat sat on\ncat dog mat ran\n")
    tasks = ("-t", tmp_path / "pairs.tsv", "-t", f"analogies:{tmp_path / 'questions.txt'}")
    tree = run_json("eval", tmp_path / "out", glove, *tasks)
    assert len(tree["tasks"]) == 2
    for task in tree["tasks"]:
        scores = [measured["score"] for measured in task["measured"].values()]
        assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_a_bundle_of_words_says_which_words_it_knows(run, glove, tmp_path):
    run("convert", glove, tmp_path / "out")
    (model,) = open_models([str(tmp_path / "out")])
    assert model.vocabulary() == files.WORDS
    assert not model.features(["zebra"]).any()
