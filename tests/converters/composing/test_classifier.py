"""A classifier and a text bundle as one text-image space: ConSE, and a trained projection."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from edgeembed import Composition, compose_classifier
from edgeembed_runtime.bundle import Bundle, Preprocess
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError

pytestmark = pytest.mark.slow

PREPROCESS = Preprocess(size=(16, 16), resize="squash", crop="none")
LABELS = ("red, crimson", "green", "blue, azure, sky")
COLORS = {"red": (220, 20, 20), "green": (20, 220, 20), "blue": (20, 20, 220)}


class ColorClassifier(torch.nn.Module):
    """Logits of three classes: how much red, green and blue there is."""

    def forward(self, pixel_values):
        return 8 * pixel_values.mean((2, 3)) ** 2


def image(color, size=(24, 20)):
    return Image.new("RGB", size, color)


@pytest.fixture(scope="module")
def composed(toy_report, tiny):
    path = tiny.new_path("bundle")
    return compose_classifier(
        ColorClassifier(),
        LABELS,
        toy_report.path,
        path,
        preprocess=PREPROCESS,
        composition=Composition(top=2, temperature=2.0, template="a {}", logit_scale=30.0),
        name="colors",
    )


def unit(vectors):
    vectors = np.asarray(vectors, np.float64)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_a_image_is_the_weighted_mean_of_its_likeliest_labels(composed, toy_report):
    with Encoder.load(toy_report.path, variant="fp32") as texts:

        def said(*phrases):
            return unit(texts.encode(list(phrases)))

        rows = []
        for label in LABELS:
            names = label.split(", ")
            alone = unit(said(*names).sum(0))
            rest = said(f"a {label}", f"a {names[0]}", label).sum(0)
            rows.append(unit(alone + rest))
    labels = np.stack(rows)
    color = np.array((200, 120, 40))
    logits = 8 * (color / 255) ** 2
    odds = np.exp(logits / 2) / np.exp(logits / 2).sum()
    expected = unit(odds[0] * labels[0] + odds[1] * labels[1])
    with Encoder.load(composed.path) as encoder:
        found = encoder.encode_image(image(tuple(map(int, color))))
    np.testing.assert_allclose(found, expected, atol=2e-5)


class ConvClassifier(torch.nn.Module):
    """Logits of three classes by two convolutions with seeded weights."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 3, 3)
        )

    def forward(self, pixel_values):
        return self.layers(pixel_values).mean((2, 3))


def test_int8_goes_through_the_gate_though_probabilities_have_no_range(toy_report, tiny):
    report = compose_classifier(
        ConvClassifier(),
        LABELS,
        toy_report.path,
        tiny.new_path("bundle"),
        preprocess=PREPROCESS,
        composition=Composition(top=2, template="a {}"),
        quantize="int8",
    )
    made = [variant.name for variant in report.image.variants]
    refused = any("int8 was refused" in note for note in report.notes)
    assert made == (["fp32"] if refused else ["fp32", "int8"])


def test_texts_are_the_text_bundles_own_in_another_space(composed, toy_report, texts):
    with Encoder.load(toy_report.path, variant="int8") as before:
        expected = before.encode(list(texts))
    with Encoder.load(composed.path, variant="int8") as encoder:
        np.testing.assert_array_equal(encoder.encode(list(texts)), expected)
        assert encoder.modalities == ("text", "image")
        assert encoder.space != before.space
    assert Bundle.open(composed.path).manifest.logit_scale == 30.0


def test_limits_are_in_the_model_card(composed):
    card = (composed.path / "README.md").read_text(encoding="utf-8")
    assert "described by the classifier's 3 classes" in card
    assert [v.name for v in composed.image.variants] == ["fp32"]


def test_examples_bring_images_near_to_their_own_names(composed, toy_report, tmp_path):
    rng = np.random.default_rng(0)

    def shades(color, count):
        return [image(tuple(int(c * rng.uniform(0.8, 1)) for c in color)) for _ in range(count)]

    own = {"tomato": shades(COLORS["red"], 8), "meadow": shades(COLORS["green"], 8)}
    taught = compose_classifier(
        ColorClassifier(),
        LABELS,
        toy_report.path,
        tmp_path / "bundle",
        preprocess=PREPROCESS,
        composition=Composition(top=2, temperature=2.0, strength=0.1),
        examples=own,
    )
    assert taught.space != composed.space
    assert any("images of 2 names" in note for note in taught.notes)
    names = list(own)
    fresh: list[Any] = [*shades(COLORS["red"], 4), *shades(COLORS["green"], 4)]
    with Encoder.load(taught.path) as encoder:
        found = [each.label for each in encoder.classify(fresh, names)]
    assert found == ["tomato"] * 4 + ["meadow"] * 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": LABELS[:2]}, "expected a list of 3, one for each class, got 2"),
        ({"labels": ("a", "b", " , ")}, "expected names"),
        ({"examples": {}}, "expected images by their names, got none"),
        ({"examples": {"x": "no-such-folder"}}, r"examples\['x'\]"),
    ],
    ids=["too few labels", "an empty label", "no examples", "no folder"],
)
def test_what_cannot_be_composed(change, words, toy_report, tmp_path):
    options = {"labels": LABELS, **change}
    with pytest.raises(InputError, match=words):
        compose_classifier(
            ColorClassifier(),
            text_bundle=toy_report.path,
            output=tmp_path / "bundle",
            preprocess=PREPROCESS,
            **options,
        )
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    "settings",
    [{"top": 0}, {"temperature": 0}, {"strength": -1}, {"logit_scale": 0}, {"template": "a photo"}],
)
def test_settings_that_cannot_be(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        Composition(**settings)
