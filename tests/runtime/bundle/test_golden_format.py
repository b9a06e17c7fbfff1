"""Bundles of every published format must load for ever and give the vectors they gave then."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgeembed_runtime.bundle import Bundle, Golden
from edgeembed_runtime.encoder.encoder import Encoder

FORMAT_1 = Path(__file__).parents[1] / "golden" / "bundle-format-1"


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_the_bundle_of_format_1_loads_and_gives_its_golden_vectors(variant):
    with Encoder.load(FORMAT_1, variant=variant, verify="golden") as encoder:
        golden = Golden.from_json((FORMAT_1 / "golden.json").read_bytes())
        found = encoder.encode(list(golden.texts), prompt="")
        np.testing.assert_allclose(found, golden.vectors, atol=1e-6 if variant == "fp32" else 0.02)


def test_the_bundle_of_format_1_says_what_it_said():
    manifest = Bundle.open(FORMAT_1).manifest
    assert Bundle.open(FORMAT_1).problems() == []
    assert (manifest.name, manifest.space, manifest.dim) == ("bundle format 1", "tiny", 16)
    assert manifest.text_tower().max_tokens == 32
    assert manifest.text_tower().prompts["query"] == "query: "
    assert [variant.name for variant in manifest.text_tower().variants] == ["fp32", "int8"]
    assert manifest.text_tower().variants[1].requires == ("vnni", "neon")
    assert manifest.source.license == "apache-2.0"


def test_reading_a_bundle_changes_nothing_in_it(tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(FORMAT_1, copy)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in copy.iterdir()}
    with Encoder.load(copy, verify="golden") as encoder:
        encoder.encode(["a", "b"])
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in copy.iterdir()}
    assert after == before
