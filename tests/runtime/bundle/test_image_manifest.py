"""Image towers in the manifest: what is written is read again, what is wrong is named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeembed_runtime.bundle import Bundle, Golden, Preprocess
from edgeembed_runtime.bundle.manifest_json import manifest_from_json, manifest_to_json
from edgeembed_runtime.bundle.preprocess import INTERPOLATIONS, RESIZES, ROUNDINGS
from edgeembed_runtime.bundle.towers_json import image_tower, tower_to_tree
from edgeembed_runtime.errors import BundleCorruptError, InputError

numbers = st.floats(-100, 100)
threes = st.tuples(numbers, numbers, numbers)
preprocesses = st.builds(
    Preprocess,
    size=st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
    resize=st.sampled_from(RESIZES),
    resize_to=st.none() | st.integers(1, 4096),
    interpolation=st.sampled_from(INTERPOLATIONS),
    rounding=st.sampled_from(ROUNDINGS),
    pad=st.tuples(*[st.integers(0, 255)] * 3),
    rescale=numbers,
    mean=threes,
    std=st.tuples(*[st.floats(0.01, 10)] * 3),
)


@pytest.fixture(scope="module")
def manifest(dual_path):
    return Bundle.open(dual_path).manifest


@pytest.fixture
def tree(manifest):
    return json.loads(manifest_to_json(manifest))


def load(tree):
    return manifest_from_json(json.dumps(tree).encode())


def test_a_dual_manifest_survives_a_round_trip(manifest):
    assert manifest_from_json(manifest_to_json(manifest)) == manifest
    assert manifest.modalities == ("text", "image")
    assert manifest.logit_scale == 20.0 and manifest.logit_bias is None


@given(settings=preprocesses)
def test_any_preprocessing_survives_a_round_trip(manifest, settings):
    from dataclasses import replace

    from edgeembed_runtime.bundle.json_node import JsonNode

    tower = replace(manifest.image, preprocess=settings)
    written = json.loads(json.dumps(tower_to_tree(tower)))
    assert image_tower(JsonNode(written, "towers.image")) == tower


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size", [224]),
        ("size", [224, "224"]),
        ("size", None),
        ("resize", "fit"),
        ("resize_to", 1.5),
        ("interpolation", 3),
        ("crop", "none"),
        ("mean", [0.5, 0.5]),
        ("std", [0.5, 0.5, 0]),
        ("rescale", "1/255"),
        ("pad", [0, 0, 0.5]),
        ("rounding", None),
    ],
)
def test_wrong_preprocessing_is_named(tree, key, value):
    tree["towers"]["image"]["preprocess"][key] = value
    with pytest.raises(BundleCorruptError, match=f"preprocess.*{key}"):
        load(tree)


@pytest.mark.parametrize("key", ["size", "resize", "interpolation", "crop", "mean", "std"])
def test_missing_preprocessing_is_named(tree, key):
    del tree["towers"]["image"]["preprocess"][key]
    with pytest.raises(BundleCorruptError, match=f"preprocess.{key}: expected"):
        load(tree)


def test_what_contradicts_itself_is_refused(tree):
    tree["logit_scale"] = -1
    with pytest.raises(BundleCorruptError, match="logit_scale: expected a positive number"):
        load(tree)
    tree["logit_scale"] = None
    del tree["towers"]["image"]["variants"][0]["file"]
    with pytest.raises(BundleCorruptError, match=r"towers\.image\.variants\[0\]\.file"):
        load(tree)


def test_a_bundle_without_towers_is_refused(tree):
    tree["towers"] = {}
    with pytest.raises(BundleCorruptError, match=r"towers\.text"):
        load(tree)


def test_a_tower_that_is_not_there_is_asked_for_in_vain(tree):
    del tree["towers"]["text"]
    images = load(tree)
    assert images.modalities == ("image",) and images.text is None
    with pytest.raises(InputError, match="give it images, or use a bundle with a text tower"):
        images.text_tower()


@pytest.mark.parametrize(
    "golden",
    [
        {},
        {"images": [], "dim": 2, "image_vectors": ""},
        {"images": [1], "dim": 2, "image_vectors": "AAAAAAAAAAA="},
        {"images": ["a.png"], "dim": 2},
        {"images": ["a.png"], "dim": 2, "image_vectors": "AAAA"},
    ],
)
def test_damaged_golden_images_are_refused(golden):
    with pytest.raises(BundleCorruptError, match=r"golden\.json"):
        Golden.from_json(json.dumps(golden).encode())
