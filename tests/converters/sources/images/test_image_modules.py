"""Live modules that take images, alone and in pairs; int8; what only the caller knows."""

import numpy as np
import pytest
import torch

from edgeembed import Budget, ModulePair, convert, quantize
from edgeembed_runtime.bundle import Preprocess
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError, ParityError, UnsupportedModelError

pytestmark = pytest.mark.slow

HALF = (0.5, 0.5, 0.5)
PREPROCESS = Preprocess(size=(32, 32), resize_to=36, mean=HALF, std=HALF)
ANYTHING = Budget(mean_cosine=0, min_cosine=0, pairs_spearman=0, retrieval_overlap=0)


class Network(torch.nn.Module):
    """Three convolutions; a map of features, or their mean."""

    def __init__(self, width=16, maps=False):
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.second = torch.nn.Conv2d(16, 16, 3, stride=2, padding=1)
        self.third = torch.nn.Conv2d(16, width, 3, padding=1)
        self.maps = maps

    def forward(self, pixel_values):
        hidden = torch.relu(self.second(torch.relu(self.first(pixel_values))))
        hidden = self.third(hidden)
        return hidden if self.maps else hidden.mean((2, 3))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "bundle"
    return convert(Network(), path, preprocess=PREPROCESS, quantize="int8", budget=ANYTHING)


def pixels_by_pillow(path, opened):
    from PIL import Image

    image = opened(path)
    short = min(image.size)
    size = tuple(int(36 * side / short) for side in image.size)
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (round((side - 32) / 2) for side in size)
    cut = np.asarray(image.crop((left, top, left + 32, top + 32)), np.float32)
    return torch.from_numpy((cut / 255 - 0.5) / 0.5).permute(2, 0, 1)


def test_a_module_with_a_declared_preprocessing(report, image_files, opened, assert_close):
    with torch.no_grad():
        expected = Network()(torch.stack([pixels_by_pillow(p, opened) for p in image_files]))
    assert report.pixels == (32, 32)
    with Encoder.load(report.path, variant="fp32") as encoder:
        assert_close(expected, encoder.encode_image(image_files))


def test_maps_of_features_are_averaged(report, tmp_path, image_files, assert_close):
    maps = convert(Network(maps=True), tmp_path / "bundle", preprocess=PREPROCESS)
    with Encoder.load(report.path, variant="fp32") as a, Encoder.load(maps.path) as b:
        assert_close(a.encode_image(image_files), b.encode_image(image_files))


def test_int8_of_a_convolution_network_is_static_and_says_what_it_was_calibrated_on(report):
    int8 = next(v for v in report.variants if v.name == "int8")
    assert int8.recipe.startswith("static int8")
    assert report.sizes["int8"] < report.sizes["fp32"]
    assert any("made by code" in note for note in report.notes)


def test_images_of_the_users_own_to_calibrate_on(report, tmp_path, image_files):
    calibrated = convert(
        Network(),
        tmp_path / "bundle",
        preprocess=PREPROCESS,
        quantize="int8",
        budget=ANYTHING,
        calibration_images=image_files[0].parent,
    )
    assert not any("made by code" in note for note in calibrated.notes)
    again = quantize(
        calibrated.path,
        tmp_path / "again",
        quantize="fp16",
        budget=ANYTHING,
        calibration_images=image_files[:3],
    )
    assert [v.name for v in again.variants] == ["fp32", "int8", "fp16"]
    with Encoder.load(again.path, variant="fp16") as encoder:
        assert encoder.encode_image(image_files[0]).shape == (16,)


@pytest.mark.parametrize("given", [[], "no-such-folder"], ids=["an empty list", "no folder"])
def test_nothing_to_calibrate_on(given, tmp_path):
    with pytest.raises(InputError, match="calibration_images"):
        convert(
            Network(),
            tmp_path / "bundle",
            preprocess=PREPROCESS,
            quantize="int8",
            calibration_images=given,
        )


def test_two_modules_of_one_space(toy, toy_tokenizer, tmp_path, texts, image_files):
    pair = ModulePair(text=toy, image=Network(), logit_scale=20.0)
    report = convert(
        pair,
        tmp_path / "bundle",
        tokenizer=toy_tokenizer,
        max_tokens=20,
        preprocess=PREPROCESS,
        name="pair",
        quantize="int8",
        budget=ANYTHING,
    )
    with Encoder.load(report.path) as encoder:
        found = encoder.encode_image(image_files), encoder.encode(list(texts))
        assert found[0].shape[1] == found[1].shape[1] == encoder.dim == 16
        for vectors in found:
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
        assert encoder.classify(image_files[0], ["a", "b"]).label in ("a", "b")
    card = (report.path / "README.md").read_text(encoding="utf-8")
    assert "images, 32x32 pixels" in card
    assert "up to 20 tokens" in card


def test_towers_of_unlike_length(toy, toy_tokenizer, tmp_path):
    pair = ModulePair(text=toy, image=Network(width=8))
    with pytest.raises(UnsupportedModelError, match="expected vectors of one length"):
        convert(
            pair,
            tmp_path / "bundle",
            tokenizer=toy_tokenizer,
            max_tokens=20,
            preprocess=PREPROCESS,
        )


class AtRandom(torch.nn.Module):
    def forward(self, pixel_values):
        return pixel_values.mean((2, 3)) + torch.rand(1)


class Fails(torch.nn.Module):
    def forward(self, pixel_values):
        raise ValueError("only\nlandscapes")


class GivesAScalar(torch.nn.Module):
    def forward(self, pixel_values):
        return pixel_values.sum()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (AtRandom(), "a different vector each time"),
        (Fails(), "ValueError: only$"),
        (GivesAScalar(), r"expected an output of shape \(n, c\)"),
    ],
    ids=["random", "failing", "no vector"],
)
def test_modules_that_encode_no_images(module, words, tmp_path):
    with pytest.raises(UnsupportedModelError, match=words):
        convert(module, tmp_path / "bundle", preprocess=PREPROCESS)


def test_a_transform_that_is_none(tmp_path):
    with pytest.raises(UnsupportedModelError, match="expected a Preprocess"):
        convert(Network(), tmp_path / "bundle", preprocess="bicubic")


def test_a_preprocessing_that_is_not_the_originals_is_refused(tmp_path, monkeypatch):
    from edgeembed_converters.sources import registry
    from edgeembed_converters.sources.live_image import load_image_module

    class DeclaredWrongly:
        name = "image module, declared wrongly"

        def matches(self, source, options):
            return isinstance(source, Network)

        def load(self, source, options, scratch):
            from dataclasses import replace

            found = load_image_module(source, options)
            wrong = replace(found.preprocess, mean=(0.1, 0.5, 0.9))
            right = lambda image: torch.rand(1, 3, 32, 32)  # noqa: E731
            return replace(found, preprocess=wrong, original_pixels=right)

    monkeypatch.setattr(registry, "_registered", [DeclaredWrongly()])
    with pytest.raises(ParityError, match="not the original"):
        convert(Network(), tmp_path / "bundle", preprocess=PREPROCESS)
    assert not (tmp_path / "bundle").exists()
