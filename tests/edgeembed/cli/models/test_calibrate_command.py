"""`edgeembed calibrate`, as people run it."""

import itertools
import json
import os
import sys

import pytest

from edgeembed_runtime.bundle import Bundle
from helpers import tiny_images

WORDS = ("cat", "dog", "rain", "sun", "train", "music", "soup", "tomato", "guitar", "river")


def table(path, count):
    pairs = list(itertools.combinations(WORDS, 2))[:count]
    lines = ["query\tdocument\tscore", *(f"the {a} {b}\t{a} {b} on the mat\t1" for a, b in pairs)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def judgments(tmp_path):
    return table(tmp_path / "judged.tsv", 45)


def test_the_profile_is_written_into_the_manifest_alone(run, run_json, own_bundle, judgments):
    before = {f.name: f.read_bytes() for f in own_bundle.iterdir() if f.name != "edgeembed.json"}
    tree = run_json("calibrate", own_bundle, judgments, "--passage-tokens", "20")
    search = Bundle.open(own_bundle).manifest.search
    assert search is not None and search.calibration is not None
    assert tree["profile"]["weight"] == search.weight
    assert tree["profile"]["calibration"]["slope"] == search.calibration.slope
    assert (search.passage_tokens, search.overlap_tokens) == (20, 5)
    assert tree["written"] == str(own_bundle)
    after = {f.name: f.read_bytes() for f in own_bundle.iterdir() if f.name != "edgeembed.json"}
    assert after == before
    assert run("verify", own_bundle).exit_code == 0
    shown = run("inspect", own_bundle).stdout
    assert f"{search.weight:.0%} cosine" in shown
    assert "passages of 20 tokens, overlapping by 5" in shown
    assert f"likely from a cosine of {search.calibration.cosine(0.5):.2f}" in shown


def test_people_get_a_table_of_what_it_is_worth(run, own_bundle, judgments, tmp_path):
    before = (own_bundle / "edgeembed.json").read_bytes()
    other = table(tmp_path / "other.tsv", 30)
    result = run("calibrate", own_bundle, judgments, "--check", other, "--dry-run")
    assert result.exit_code == 0, result.stderr
    for shown in ("judged", "fitted", "other", "check", "weight of the cosine", "Brier"):
        assert shown in result.stdout
    assert "Nothing was written." in result.stderr
    assert (own_bundle / "edgeembed.json").read_bytes() == before
    assert "not measured" in run("inspect", own_bundle).stdout


def test_folders_are_fitted_in_their_training_split(run_json, own_bundle, tmp_path):
    folder = tmp_path / "set"
    pairs = list(itertools.combinations(WORDS, 2))
    (folder / "qrels").mkdir(parents=True)
    for name, texts in (
        ("corpus", [f"{a} {b} on the mat" for a, b in pairs]),
        ("queries", [f"{a} {b}" for a, b in pairs]),
    ):
        lines = [json.dumps({"_id": str(n), "title": "", "text": t}) for n, t in enumerate(texts)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for split, ids in (("train", range(35)), ("test", range(35, 45))):
        lines = ["query-id\tcorpus-id\tscore", *(f"{n}\t{n}\t1" for n in ids)]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines), encoding="utf-8")
    tree = run_json("calibrate", own_bundle, folder, "--dry-run")
    assert [each["queries"] for each in tree["sets"]] == [35]
    assert tree["written"] is None


def test_too_few_queries_change_nothing(fails, own_bundle, tmp_path):
    before = (own_bundle / "edgeembed.json").read_bytes()
    assert "expected 30 queries" in fails("calibrate", own_bundle, table(tmp_path / "t.tsv", 9))
    assert (own_bundle / "edgeembed.json").read_bytes() == before


def test_what_cannot_be_used_is_said(fails, own_bundle, judgments, tmp_path):
    assert "nothing.tsv" in fails("calibrate", own_bundle, tmp_path / "nothing.tsv")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "corpus.jsonl" in fails("calibrate", own_bundle, empty)
    assert "got 'judged' twice" in fails("calibrate", own_bundle, judgments, judgments)
    tokens = ("--passage-tokens", "8", "--overlap-tokens", "8")
    assert "--overlap-tokens" in fails("calibrate", own_bundle, judgments, *tokens)
    assert "not there" in fails("calibrate", tmp_path / "not there", judgments)


def test_a_bundle_of_images_cannot_be_calibrated(fails, judgments, tmp_path):
    images = tiny_images.write_image_bundle(tmp_path / "images")
    assert "expected one that encodes texts" in fails("calibrate", images, judgments)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is forbidden")
def test_a_bundle_that_cannot_be_written_stays_as_it_is(fails, own_bundle, judgments):
    own_bundle.chmod(0o500)
    try:
        assert "permission denied" in fails("calibrate", own_bundle, judgments)
    finally:
        own_bundle.chmod(0o700)
    assert Bundle.open(own_bundle).manifest.search is None
