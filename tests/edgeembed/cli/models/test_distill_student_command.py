"""`edgeembed distill`: a table, JSON, and one line for what goes wrong."""

import random

import pytest

from edgeembed_runtime.encoder.encoder import Encoder

pytestmark = pytest.mark.slow

WORDS = (
    *("the", "cat", "sat", "on", "a", "mat", "dog", "ran"),
    *("in", "rain", "sun", "train", "station", "music", "play", "guitar"),
    *("river", "bank"),
)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A BERT of two layers with random weights, as transformers saves it."""
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from helpers import tiny_bundle

    directory = tmp_path_factory.mktemp("models") / "tiny-bert"
    tokenizer = tiny_bundle.tokenizer()
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(directory)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory):
    """Where the teacher is converted, once."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture
def texts(tmp_path):
    rng = random.Random(1)
    lines = [" ".join(rng.choices(WORDS, k=6)) for _ in range(200)]
    (tmp_path / "texts.txt").write_text("\n".join(lines))
    return tmp_path / "texts.txt"


def test_the_student_is_shown_and_drawn_and_encodes(run, teacher, texts, work_dir, tmp_path):
    arguments = (
        "--layers",
        "1",
        "--work-dir",
        work_dir,
        "--learning-curve",
        tmp_path / "curve.png",
    )
    result = run("distill", "student", teacher, texts, tmp_path / "out.bundle", *arguments)
    assert result.exit_code == 0, result.stderr
    assert "encoder.layer.1" in result.stdout
    assert "180 trained on, 20 held out" in result.stdout
    assert "A student of tiny-bert" in result.stderr
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    with Encoder.load(tmp_path / "out.bundle") as encoder:
        assert encoder.encode("the cat").shape == (32,)


def test_json_has_what_the_report_has(run_json, teacher, texts, work_dir, tmp_path):
    tree = run_json(
        *("distill", "student", teacher, texts, tmp_path / "out.bundle"),
        *("--layers", "encoder.layer.0", "--work-dir", work_dir, "--epochs", "2"),
    )
    assert tree["layers"] == ["encoder.layer.0"]
    assert tree["texts"] == 180
    assert tree["trained"]["steps"] == 12
    assert tree["trained"]["points"][0]["loss"] is None
    assert tree["parameters"] < tree["teacher_parameters"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layers", "7"], "expected 1 to 2"),
        (["--layers", "1,0"], "once and in order"),
        (["--layers", "middle"], "names such as encoder.layer.0"),
        (["--precision", "fp7"], "expected 'fp32' or 'bf16'"),
        (["--learning-rate", "0"], "--learning-rate: expected"),
        (["--device", "abacus"], "--device: expected"),
        (["--held-out", "2"], "--held-out: expected at least 3 texts"),
        (["--mean-cosine", "2"], "--mean-cosine: expected a number of 0 to 1"),
        (["--quantize", "int3"], "expected int8"),
    ],
)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(
    options, message, fails, teacher, texts, work_dir, tmp_path
):
    line = fails(
        *("distill", "student", teacher, texts, tmp_path / "out"),
        *("--work-dir", work_dir, *options),
    )
    assert message in line
    assert not (tmp_path / "out").exists()


def test_too_few_texts_are_said_before_anything_is_done(fails, teacher, tmp_path):
    (tmp_path / "few.txt").write_text("one\ntwo\n\n")
    line = fails("distill", "student", teacher, tmp_path / "few.txt", tmp_path / "out")
    assert "at least 64 distinct" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few.txt"]


def test_a_table_of_token_vectors_is_shown_and_drawn_and_encodes(run, teacher, texts, tmp_path):
    arguments = ("--dim", "8", "--rows", "int8", "--rows", "fp32", "--held-out", "10")
    arguments += ("--epochs", "1", "--learning-curve", tmp_path / "curve.png")
    result = run("distill", "static", teacher, texts, tmp_path / "out.bundle", *arguments)
    assert result.exit_code == 0, result.stderr
    assert "190 trained on, 10 held out" in result.stdout
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    with Encoder.load(tmp_path / "out.bundle", variant="fp32") as encoder:
        assert encoder.encode("the cat").shape == (8,)


def test_a_table_that_cannot_be_made_is_one_line(fails, teacher, texts, tmp_path):
    line = fails("distill", "static", teacher, texts, tmp_path / "out", "--rows", "int3")
    assert "--rows: expected one or more of" in line
    assert not (tmp_path / "out").exists()
