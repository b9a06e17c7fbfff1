"""`edgeembed inspect` and `edgeembed verify`, on bundles and on indexes, sound and damaged."""

import json
import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from edgeembed import Index, SegmentStats
from edgeembed_runtime.bundle.manifest_json import manifest_from_json
from helpers import tiny_bundle


def test_inspecting_a_bundle_shows_what_matters(run, tiny_path):
    result = run("inspect", tiny_path)
    assert result.exit_code == 0
    for shown in ("tiny", "16 components", "cosine", "32 tokens", "query='query: '", "apache-2.0"):
        assert shown in result.stdout
    for shown in ("fp32", "int8", "avx2 or neon", "any processor", "2x"):
        assert shown in result.stdout


def test_inspecting_a_bundle_as_json_gives_its_manifest(run, tiny_path):
    result = run("inspect", tiny_path, "--json")
    assert result.stdout.encode() == (tiny_path / "edgeembed.json").read_bytes()
    assert manifest_from_json(result.stdout.encode()).dim == 16


def test_inspecting_loads_no_model(run, own_bundle):
    for name in ("fp32.onnx", "int8.onnx", "tokenizer.json"):
        (own_bundle / name).unlink()
    assert run("inspect", own_bundle).exit_code == 0


def test_inspecting_an_index_shows_what_it_holds(run, run_json, indexed):
    result = run("inspect", indexed)
    assert result.exit_code == 0
    assert str(indexed) in result.stdout
    tree = run_json("inspect", indexed)
    assert (tree["dim"], tree["space"]) == (16, "tiny")
    assert tree["documents"] > 4
    assert f"documents       {tree['documents']}" in result.stdout


def test_the_recall_of_a_segment_is_the_proven_one(run, indexed, monkeypatch):
    segment = SegmentStats(
        n=5000, dead=0, bytes=1, backend="annoy", recall=0.9987, recall_bound=0.9912,
        exact_ms=2.0, ann_ms=0.5, build_parameter=20, effort=900,
    )  # fmt: skip
    older = replace(segment, recall=0.9934, recall_bound=None)
    exact = replace(segment, backend="exact", recall=None, recall_bound=None)
    stats = replace(_stats_of(indexed), segments=(segment, older, exact))
    monkeypatch.setattr(Index, "stats", lambda _: stats)
    shown = run("inspect", indexed).stdout
    assert "recall@10 at least" in shown
    assert "0.991" in shown
    assert "0.999" not in shown
    assert "mean 0.993" in shown


def _stats_of(path):
    with Index.open(path) as index:
        return index.stats()


def test_square_brackets_and_colons_of_a_bundle_are_shown_as_they_are(run, tmp_path):
    prompts = {"query": "[/INST] [bold]:smile:"}
    path = tiny_bundle.write_tiny_bundle(tmp_path / "b", name="[red]x", tower={"prompts": prompts})
    result = run("inspect", path)
    assert result.exit_code == 0
    assert "query='[/INST] [bold]:smile:'" in result.stdout
    assert "[red]x" in result.stdout


def test_verifying_a_sound_bundle_tests_every_variant(run, run_json, tiny_path):
    result = run("verify", tiny_path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "everything is as it should be" in result.stdout
    tree = run_json("verify", tiny_path)
    assert tree["ok"] is True
    assert tree["problems"] == []
    assert [(t["variant"], t["ok"]) for t in tree["self_tests"]] == [("fp32", True), ("int8", True)]


def test_verifying_a_damaged_bundle_gives_one_line_per_problem(run, own_bundle):
    (own_bundle / "README.md").unlink()
    (own_bundle / "stranger").write_text("x")
    data = bytearray((own_bundle / "int8.onnx").read_bytes())
    data[-1] ^= 1
    (own_bundle / "int8.onnx").write_bytes(data)
    result = run("verify", own_bundle)
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("edgeembed: bundle ") for line in lines)
    for name in ("README.md", "int8.onnx", "stranger"):
        assert sum(name in line for line in lines) == 1
    assert "as it should be" not in result.stdout


def test_verifying_as_json_names_the_problems_and_still_fails(run, own_bundle):
    (own_bundle / "fp32.onnx").write_bytes(b"")
    result = run("verify", own_bundle, "--json")
    tree = json.loads(result.stdout)
    assert result.exit_code == 1
    assert tree["ok"] is False
    assert len(tree["problems"]) == 1
    assert [t["variant"] for t in tree["self_tests"]] == ["int8"]


def test_verifying_finds_other_weights_that_no_checksum_shows(run, own_bundle):
    values = np.roll(tiny_bundle.table(), 3, axis=0)
    data = tiny_bundle.graph(values).SerializeToString()
    tiny_bundle.put_file(own_bundle, "fp32.onnx", data)
    result = run("verify", own_bundle)
    assert result.exit_code == 1
    assert "WRONG" in result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith("edgeembed: variant fp32: expected golden cosines of at least 0.9999")


@pytest.mark.parametrize("name", ["edgeembed.json", "tokenizer.json", "golden.json"])
def test_verifying_garbage_is_a_failure_without_a_traceback(run, own_bundle, name):
    (own_bundle / name).write_bytes(b"\xff{garbage")
    result = run("verify", own_bundle)
    assert result.exit_code == 1
    assert all(line.startswith("edgeembed: bundle ") for line in result.stderr.splitlines())
    assert name in result.stderr or "manifest" in result.stderr


def test_verifying_a_sound_index_is_quiet(run, run_json, indexed):
    assert run("verify", indexed).exit_code == 0
    assert run_json("verify", indexed) == {"ok": True, "problems": [], "self_tests": []}


def test_verifying_a_damaged_index_fails(run, indexed):
    path = indexed / "edgeembed.sqlite3"
    data = bytearray(path.read_bytes())
    at = data.index(b"The cat sat on the mat")
    data[at] ^= 1
    path.write_bytes(data)
    result = run("verify", indexed)
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("edgeembed: ")


def test_a_damaged_index_is_saved_into_a_new_one(run, run_json, indexed, tiny_path, tmp_path):
    database = sqlite3.connect(indexed / "edgeembed.sqlite3")
    database.execute("UPDATE tail SET vec = zeroblob(64) WHERE docid = 1")
    database.commit()
    database.close()
    assert run("verify", indexed).exit_code == 1
    result = run("verify", indexed, "--repair", tmp_path / "new.index")
    assert result.exit_code == 0, result.stderr
    assert "documents are as they were" in result.stdout
    assert "1 lost" in result.stdout
    report = run_json("verify", indexed, "--repair", tmp_path / "other.index", "-m", tiny_path)
    assert len(report["encoded"]) == 1
    assert report["lost"] == []
    assert run("verify", tmp_path / "other.index").exit_code == 0
