"""`edgeembed bench`: figures of every variant, from processes of their own."""

import pytest

from edgeembed import Encoder
from edgeembed.bench.inputs import texts_of
from helpers import tiny_bundle

pytestmark = pytest.mark.slow


def test_every_variant_that_suits_the_machine_is_measured(run_json, tiny_path):
    report = run_json("bench", tiny_path, "--seconds", "0.05", "--variant", "fp32")
    (variant,) = report["variants"]
    assert report["bundle"] == "tiny"
    assert variant["variant"] == "fp32"
    assert variant["kind"] == "text"
    assert set(variant["speed"]["per_second"]) == {"texts of 16 tokens", "texts of 32 tokens"}
    assert all(rate > 0 for rate in variant["speed"]["per_second"].values())
    speed = variant["speed"]
    assert 0 < speed["p50_ms"] <= speed["p95_ms"] <= speed["p99_ms"]
    assert 10 < speed["resident_mb"] < 2000
    assert variant["cold_start_ms"] > 10


def test_the_table_has_a_column_for_each_variant(run, tiny_path):
    result = run("bench", tiny_path, "--seconds", "0.05", "--variant", "int8", "--variant", "fp32")
    assert result.exit_code == 0, result.stderr
    assert "int8" in result.stdout
    assert "fp32" in result.stdout
    assert "process start to first vector" in result.stdout


def test_both_halves_of_a_text_image_bundle_are_measured(run, run_json, tmp_path, tiny_path):
    tiny_images = pytest.importorskip("helpers.tiny_images", reason="needs Pillow")
    bundle = tiny_images.write_dual_bundle(tmp_path / "dual.bundle", tiny_path)
    report = run_json("bench", bundle, "--seconds", "0.05", "--variant", "fp32")
    assert [variant["kind"] for variant in report["variants"]] == ["text", "image"]
    speed = report["variants"][1]["speed"]
    assert speed["per_second"]["images of 640 x 480"] > 0
    assert 0 < speed["p50_ms"] <= speed["p95_ms"]
    table = run("bench", bundle, "--seconds", "0.05", "--variant", "fp32").stdout
    assert "one short text: median" in table
    assert "one image: median" in table


def test_an_unknown_variant_names_those_there_are(fails, tiny_path):
    line = fails("bench", tiny_path, "--variant", "fp64")
    assert "expected one of fp32, int8, got 'fp64'" in line


def test_where_no_variant_suits_the_processor_one_has_to_be_named(fails, tiny_path, monkeypatch):
    monkeypatch.setattr("edgeembed.cli.models.bench.suits", lambda *_: False)
    assert "use --variant" in fails("bench", tiny_path)


def test_a_variant_that_cannot_be_loaded_is_an_error_in_one_line(fails, tmp_path):
    path = tiny_bundle.write_tiny_bundle(tmp_path / "b", replaced={"fp32.onnx": b"no model"})
    line = fails("bench", path, "--variant", "fp32", "--seconds", "0.05")
    assert "bench of fp32: the process failed" in line


@pytest.mark.parametrize("tokens", [8, 16, 32])
def test_its_texts_differ_and_have_about_the_tokens_asked_for(tiny_path, tokens):
    with Encoder.load(tiny_path) as encoder:
        texts = texts_of(encoder, tokens, 20)
        assert len(set(texts)) == 20
        counts = encoder.count_tokens(texts)
    assert max(counts) <= tokens
    assert min(counts) >= tokens * 0.5
