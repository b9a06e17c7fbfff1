"""`edgeembed train`: a table, JSON, and one line for what goes wrong."""

import json

import pytest

from edgeembed_runtime.encoder.encoder import Encoder
from helpers.model_zoo import TinyModels
from helpers.training_examples import made_examples

FAST = ("--learning-rate", "2e-3", "--batch-size", "16", "--evaluate-every", "5")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A BERT with random weights, as sentence-transformers saves it."""
    return TinyModels(tmp_path_factory.mktemp("models")).sentence("tiny-model", max_seq_length=32)


@pytest.fixture
def pairs(tmp_path):
    """A file of pairs."""
    path = tmp_path / "pairs.jsonl"
    records = [{"anchor": e.anchor, "positive": e.positive} for e in made_examples()]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.slow
def test_what_was_trained_is_shown_and_converted(run, model, pairs, tmp_path):
    arguments = ("--hard-negatives", "1", "--learning-curve", tmp_path / "curve.png", *FAST)
    result = run("train", model, pairs, tmp_path / "tuned.bundle", *arguments)
    assert result.exit_code == 0, result.stderr
    assert "144 pairs, 16 held out" in result.stdout
    assert "MRR@10" in result.stdout
    assert "int8" in result.stdout
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    curve = json.loads((tmp_path / "tuned.model" / "learning-curve.json").read_text())
    assert [point["step"] for point in curve["points"]] == [0, 5, 9]
    assert not (tmp_path / "tuned.bundle.work").exists()
    with Encoder.load(tmp_path / "tuned.bundle", variant="int8", verify="golden") as encoder:
        assert encoder.encode("the cat").shape == (32,)


@pytest.mark.slow
def test_json_has_what_the_report_has(run_json, model, pairs, tmp_path):
    output = tmp_path / "tuned"
    arguments = ("--lora-rank", "2", "--quantize", "int8-faithful", *FAST)
    tree = run_json("train", model, pairs, output, *arguments, "--evaluate-on", pairs)
    assert (tree["kind"], tree["loss"], tree["metric"]) == ("pairs", "info_nce", "MRR@10")
    assert tree["model_path"] == str(tmp_path / "tuned.model")
    assert (tree["examples"], tree["held_out"]) == (160, 160)
    assert tree["after"]["MRR@10"] > tree["before"]["MRR@10"]
    assert tree["witness"].startswith("sentence-transformers")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--loss", "hinge"], "--loss: expected one of info_nce"),
        (["--loss", "cosent"], "--loss: expected info_nce or contrastive or triplet for pairs"),
        (["--matryoshka-dims", "8,x"], "--matryoshka-dims: expected numbers such as 256,128"),
        (["--matryoshka-dims", "99"], "--matryoshka-dims: expected numbers from 1 to 31"),
        (["--lora-rank", "99"], "--lora-rank: expected 1 to 31"),
        (["--chunk-size", "4", "--masked-tokens", "1"], "--chunk-size: expected no"),
        (["--masked-tokens", "1"], "--masked-tokens: expected a model with a head"),
        (["--next-sentence", "-1"], "--next-sentence: expected a weight of 0 or more"),
        (["--temperature", "0"], "--temperature: expected a number above 0"),
        (["--held-out", "1"], "--held-out: expected at least 2 examples, got 1"),
        (["--pooling", "most"], "--pooling: expected one of cls, mean"),
        (["--quantize", "int3"], "expected int8"),
    ],
)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(
    options, message, fails, model, pairs, tmp_path
):
    line = fails("train", model, pairs, tmp_path / "out", *options)
    assert message in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.jsonl"]


def test_damaged_examples_are_named_by_file_and_line(fails, model, tmp_path):
    path = tmp_path / "scored.csv"
    path.write_text("sentence1,sentence2,score\na,b,0.5\nc,d,4.5\n")
    line = fails("train", model, path, tmp_path / "out")
    assert f"{path}, line 3: expected a score from -1 to 1, as a cosine is, got 4.5" in line
    path.write_text("sentence1,sentence2\na,b\n")
    line = fails("train", model, path, tmp_path / "out")
    assert "expected at least 4 different ones, got 1" in line
    assert "other examples to measure on" in line


def test_what_is_there_is_replaced_only_if_asked(fails, model, pairs, tiny_path, tmp_path):
    line = fails("train", model, pairs, tiny_path)
    assert "exists already; choose another path, or pass --overwrite" in line
    line = fails("train", model, pairs, tmp_path / "out", "--model-output", tmp_path)
    assert "exists already" in line
    arguments = ("--model-output", tmp_path, "--overwrite")
    assert "is not a model" in fails("train", model, pairs, tmp_path / "out", *arguments)


def test_a_bundle_cannot_be_trained(fails, pairs, tiny_path, tmp_path):
    line = fails("train", tiny_path, pairs, tmp_path / "out")
    assert "expected a PyTorch model, got a bundle" in line
