"""`edgeembed quantize`: a table of recipes, JSON, a plot, and one line for what goes wrong."""

import dataclasses

import pytest

from edgeembed import quantize
from edgeembed.visualize.quantization_plot import quantization_page
from edgeembed_converters.quantization.trial.bits import max_exact_bits
from edgeembed_runtime.bundle import Bundle
from edgeembed_runtime.encoder.encoder import Encoder


@pytest.fixture(scope="module")
def report(tiny_path, tmp_path_factory):
    return quantize(tiny_path, tmp_path_factory.mktemp("quantized") / "out")


def test_the_table_shows_every_recipe_and_what_it_became(run, tiny_path, tmp_path):
    result = run("quantize", tiny_path, tmp_path / "out", "--html", tmp_path / "plot.html")
    assert result.exit_code == 0, result.stderr
    assert f"dynamic int8, {max_exact_bits()}-bit weights by GPTQ" in result.stdout
    assert "became" in result.stdout
    assert "int8" in [v.name for v in Bundle.open(tmp_path / "out").manifest.text_tower().variants]
    assert "dynamic int8" in (tmp_path / "plot.html").read_text()
    with Encoder.load(tmp_path / "out", variant="int8") as encoder:
        assert encoder.encode("the cat").shape == (16,)


def test_json_has_what_the_report_has(run_json, tiny_path, tmp_path):
    tree = run_json("quantize", tiny_path, tmp_path / "out", "--quantize", "int8-portable")
    assert tree["path"] == str(tmp_path / "out")
    assert [trial["chosen"] for trial in tree["trials"]] == ["int8-portable"]
    assert tree["trials"][0]["fidelity"]["texts"] > 0


@pytest.mark.parametrize("name", ["texts.txt", "texts.jsonl"])
def test_calibration_texts_come_from_a_file(name, run_json, tiny_path, tmp_path):
    lines = {"texts.txt": "the dog ran\nthe sun\n", "texts.jsonl": '{"text": "the dog ran"}\n'}
    (tmp_path / name).write_text(lines[name])
    tree = run_json("quantize", tiny_path, tmp_path / "out", "--calibration", tmp_path / name)
    assert tree["calibrated_on"] == {"texts.txt": 2, "texts.jsonl": 1}[name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--quantize", "int3"], "expected int8"),
        (["--mean-cosine", "1"], "meets the budget"),
        (["--mean-cosine", "7"], "expected a number of 0 to 1"),
        (["--calibration", "empty.txt"], "at least one text"),
        (["--calibration", "binary.txt"], "expected UTF-8"),
    ],
)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(options, message, run, tiny_path, tmp_path):
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    result = run("quantize", tiny_path, tmp_path / "out", *options)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.strip().count("\n") == 0
    assert not (tmp_path / "out").exists()


def test_the_plot_has_a_dot_for_every_recipe_and_names_are_text(report):
    hostile = dataclasses.replace(report, name="<script>alert(1)</script>")
    page = quantization_page(hostile)
    assert "<script>alert(1)</script>" not in page
    assert page.count(report.trials[0].recipe) >= 1
    assert "times as fast as fp32" in page
