"""What a conversion tells: report, steps and model card, and nothing about this machine."""

import json
import shutil
from pathlib import Path

import pytest

from edgeembed import ConversionReport
from edgeembed_runtime.bundle import Bundle

pytestmark = pytest.mark.slow

STEPS = [
    "Loading the model",
    "Running the original on the probe texts",
    "Exporting with torch",
    "Comparing with the original",
    "Writing the bundle",
    "Proving the bundle on its golden vectors",
]


@pytest.fixture(scope="module")
def licensed(tiny):
    """A model whose card and license file have something to carry along."""
    source = tiny.new_path("licensed")
    shutil.copytree(tiny.sentence("prompted-card", prompts={"query": "query: "}), source)
    (source / "README.md").write_text("---\ntags: [x]\nlicense: apache-2.0\n---\n# A model\n")
    (source / "LICENSE").write_text("License text of the model")
    (source / "NOTICE.txt").write_text("Notice of the model")
    return source


def test_report_is_plain_json(toy_report):
    tree = json.loads(json.dumps(toy_report.as_dict()))
    assert tree["path"] == str(toy_report.path)
    assert tree["variants"][1]["fidelity"]["mean_cosine"] > 0.9
    assert {"name", "space", "dim", "sizes", "seconds", "notes", "source"} <= set(tree)
    assert isinstance(toy_report, ConversionReport)


def test_report_agrees_with_the_bundle(toy_report):
    manifest = Bundle.open(toy_report.path).manifest
    assert manifest.space == toy_report.space
    assert manifest.dim == toy_report.dim == 16
    assert manifest.text_tower().variants == toy_report.variants
    assert manifest.source == toy_report.source
    assert Bundle.open(toy_report.path).problems() == []


def test_every_step_is_told_in_order(convert_toy, tmp_path):
    steps = []
    convert_toy(tmp_path / "bundle", quantize="int8", on_step=steps.append)
    tried = [step for step in steps if step.startswith("Trying dynamic int8")]
    assert tried
    assert [step for step in steps if step not in tried] == STEPS


def test_model_card_and_license_files(licensed, converted):
    report = converted(licensed, quantize="int8")
    card = (report.path / "README.md").read_text(encoding="utf-8")
    assert "license: apache-2.0" in card
    assert report.source.weights_sha256 in card
    assert "| fp32 |" in card
    assert "| int8 |" in card
    assert "query: " in card
    assert (report.path / "LICENSE").read_text() == "License text of the model"
    assert (report.path / "NOTICE.txt").read_text() == "Notice of the model"
    assert report.source.license == "apache-2.0"
    assert Bundle.open(report.path).problems() == []


def test_card_says_when_the_license_is_unknown_and_what_was_assumed(toy_report):
    card = (toy_report.path / "README.md").read_text(encoding="utf-8")
    assert "not stated by the source" in card
    assert toy_report.notes[0] in card


def test_bundle_holds_no_path_of_this_machine(licensed, converted):
    import transformers

    report = converted(licensed, quantize="int8")
    libraries = Path(transformers.__file__).parent.parent
    for path in report.path.rglob("*"):
        data = path.read_bytes()
        for trace in (licensed, licensed.parent.parent, report.path.parent, libraries):
            assert str(trace).encode() not in data, (path.name, trace)


def test_weights_hash_is_of_the_file_itself(tiny, converted):
    import hashlib

    source = tiny.sentence("pooling-mean", pooling="mean")
    expected = hashlib.sha256((source / "model.safetensors").read_bytes()).hexdigest()
    assert converted(source).source.weights_sha256 == expected


def test_strings_are_paths_too(tiny, converted):
    source = tiny.sentence("pooling-mean", pooling="mean")
    report = converted(source)  # which gives convert() both paths as strings
    assert isinstance(report.path, Path)
    assert report.name == "pooling-mean"
