"""Pixels equal those of torchvision, timm and transformers, on images of many shapes.

torchvision and timm are not among the test requirements: where they are installed they are asked.
`by_hand` says the same formulas in numpy, so that every setting is tested everywhere.
"""

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgeembed_runtime.bundle import Preprocess
from edgeembed_runtime.errors import BundleCorruptError
from edgeembed_runtime.inputs.image.preprocess import pixel_values, resized_size
from helpers.tiny_images import photo

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF: dict[str, Any] = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
IMAGENET: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Portrait, landscape, square, smaller than the input, odd sides, extreme shapes.
SIZES = [
    (500, 375),
    (333, 500),
    (224, 224),
    (97, 61),
    (640, 101),
    (225, 227),
    (33, 700),
    (641, 480),
]
PHOTOS = [photo(*size, seed=n) for n, size in enumerate(SIZES)]
# Of a step: values may be multiplied and divided in another order. What counts are whole steps.
SAME = 1e-4


def difference(settings, reference):
    """The largest difference to a reference, in steps of the 256 of a pixel."""
    return max(float(each.max()) for each in differences(settings, reference))


def differences(settings, reference):
    """The differences to a reference, image by image, in steps of the 256 of a pixel."""
    step = settings.rescale / np.array(settings.std)[:, None, None]
    return [np.abs(pixel_values(p, settings) - np.asarray(reference(p))) / step for p in PHOTOS]


@pytest.fixture(scope="module")
def torchvision():
    return pytest.importorskip("torchvision.transforms", reason="torchvision is not installed")


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "lanczos", "nearest"])
@pytest.mark.parametrize("resize_to", [224, 232])
def test_torchvision_shortest_and_crop(torchvision, interpolation, resize_to):
    mode = torchvision.InterpolationMode[interpolation.upper()]
    pipeline = torchvision.Compose(
        [
            torchvision.Resize(resize_to, mode),
            torchvision.CenterCrop(224),
            torchvision.ToTensor(),
            torchvision.Normalize(*IMAGENET.values()),
        ]
    )
    settings = Preprocess(
        size=(224, 224), resize_to=resize_to, interpolation=interpolation, **IMAGENET
    )
    assert difference(settings, pipeline) < SAME


def test_torchvision_crop_alone_pads_with_black(torchvision):
    pipeline = torchvision.Compose([torchvision.CenterCrop((225, 192)), torchvision.ToTensor()])
    assert difference(Preprocess(size=(225, 192), resize="none"), pipeline) < SAME


def test_torchvision_squash(torchvision):
    mode = torchvision.InterpolationMode.BICUBIC
    pipeline = torchvision.Compose([torchvision.Resize((256, 128), mode), torchvision.ToTensor()])
    settings = Preprocess(size=(256, 128), resize="squash", crop="none")
    assert difference(settings, pipeline) < SAME


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("crop_pct", [0.875, 0.9, 1.0])
def test_timm(mode, crop_pct):
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    data = pytest.importorskip("timm.data", reason="timm is not installed")
    pipeline = data.create_transform(
        (3, 224, 224), interpolation="bicubic", crop_pct=crop_pct, crop_mode=mode, **IMAGENET
    )
    scaled = math.floor(224 / crop_pct)
    settings = {
        "center": Preprocess(size=(224, 224), resize_to=scaled, **IMAGENET),
        "squash": Preprocess(size=(224, 224), resize="squash", resize_to=scaled, **IMAGENET),
        "border": Preprocess(
            size=(224, 224),
            resize="longest",
            resize_to=scaled,
            rounding="timm",
            pad=tuple(round(255 * value) for value in IMAGENET["mean"]),
            **IMAGENET,
        ),
    }[mode]
    assert difference(settings, pipeline) < SAME


@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
def test_open_clip(resize_mode):
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    transform = pytest.importorskip("open_clip.transform", reason="open_clip is not installed")
    pipeline = transform.image_transform(
        224, is_train=False, mean=CLIP_MEAN, std=CLIP_STD, resize_mode=resize_mode
    )
    settings = Preprocess(
        size=(224, 224), resize=resize_mode, rounding="timm", mean=CLIP_MEAN, std=CLIP_STD
    )
    if resize_mode == "shortest":
        settings = Preprocess(size=(224, 224), mean=CLIP_MEAN, std=CLIP_STD)
    assert difference(settings, pipeline) < SAME


TRANSFORMERS = {
    "CLIP": Preprocess(size=(224, 224), rounding="transformers", mean=CLIP_MEAN, std=CLIP_STD),
    "Siglip": Preprocess(size=(224, 224), resize="squash", crop="none", **HALF),
    "ViT": Preprocess(
        size=(224, 224), resize="squash", crop="none", interpolation="bilinear", **HALF
    ),
    "Bit": Preprocess(size=(224, 224), resize_to=256, rounding="transformers", **IMAGENET),
}


def processor_of(kind):
    """The PIL backend of a processor: its own class since transformers 5, the slow one before."""
    transformers = pytest.importorskip("transformers")
    name = f"{kind}ImageProcessor"
    made = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    if kind != "Bit":
        return made()
    mean, std = IMAGENET.values()
    # As facebook/dinov2-small has it.
    return made(size={"shortest_edge": 256}, image_mean=mean, image_std=std)


@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_transformers_on_pil(kind):
    processor = processor_of(kind)
    settings = TRANSFORMERS[kind]
    assert (
        difference(settings, lambda p: processor(p, return_tensors="np")["pixel_values"][0]) < SAME
    )


@pytest.mark.parametrize("kind", ["CLIP", "Siglip"])
def test_transformers_on_torchvision_is_hardly_ever_more_than_a_step_away(kind):
    # It resizes tensors by another code than Pillow's: within a step of 256, and in very long
    # strips within three.
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    processor = getattr(pytest.importorskip("transformers"), f"{kind}ImageProcessor")()
    found = differences(
        TRANSFORMERS[kind], lambda p: processor(p, return_tensors="pt")["pixel_values"][0]
    )
    assert max(float(each.max()) for each in found) < 3.1
    assert max(float((each > 1.1).mean()) for each in found) < 1e-3


# -- in numpy ----------------------------------------------------------------------------------


def by_hand(image, settings):
    """The same by documented formulas, with none of the code under test."""
    height, width = settings.size
    size = {
        "none": image.size,
        "squash": (settings.resize_to or width, settings.resize_to or height),
        "shortest": shaped(image.size, settings, min),
        "longest": shaped(image.size, settings, max),
    }[settings.resize]
    resized = np.asarray(image.resize(size, FILTERS[settings.interpolation])).astype(int)
    for axis, wanted in enumerate((height, width)):
        resized = centered(resized, axis, wanted, settings)
    values = resized * settings.rescale
    return ((values - settings.mean) / settings.std).transpose(2, 0, 1)


def shaped(size, settings, side):
    target = settings.resize_to or side(settings.size)
    exact = [target * length / side(size) for length in size]
    return tuple(max(1, round(x) if settings.rounding == "timm" else int(x)) for x in exact)


def centered(pixels, axis, wanted, settings):
    have = pixels.shape[axis]
    if have >= wanted:
        half = (have - wanted) / 2
        start = math.floor(half) if settings.rounding == "transformers" else round(half)
        return np.take(pixels, range(start, start + wanted), axis)
    half = (wanted - have) / 2
    before = math.ceil(half) if settings.rounding == "transformers" else math.floor(half)
    shape = list(pixels.shape)
    shape[axis] = wanted
    padded = np.empty(shape, int)
    padded[...] = settings.pad
    place = [slice(None)] * 3
    place[axis] = slice(before, before + have)
    padded[tuple(place)] = pixels
    return padded


@pytest.mark.parametrize("rounding", ["torchvision", "transformers", "timm"])
@pytest.mark.parametrize("resize", ["shortest", "longest", "squash", "none"])
@pytest.mark.parametrize("size", [(224, 224), (65, 98)])
def test_every_setting_does_what_the_format_says(rounding, resize, size):
    settings = Preprocess(
        size=size,
        resize=resize,
        resize_to=None if size[0] == 65 else 230,
        interpolation="lanczos" if rounding == "timm" else "bilinear",
        rounding=rounding,
        pad=(200, 100, 3),
        **IMAGENET,
    )
    assert difference(settings, lambda p: by_hand(p, settings)) < SAME


def test_values_are_float32_and_contiguous():
    found = pixel_values(PHOTOS[0], Preprocess(size=(64, 32)))
    assert (found.dtype, found.shape, found.flags.c_contiguous) == (np.float32, (3, 64, 32), True)


def test_a_strip_is_resized_only_where_it_is_seen():
    strip = photo(20_000, 2, seed=3)
    settings = Preprocess(size=(224, 224), resize_to=256)
    assert resized_size(strip.size, settings) == (2_560_000, 256)
    found = pixel_values(strip, settings)
    # One pixel of the strip is 128 wide now: the middle shows two of them.
    middle = np.asarray(strip.crop((9_998, 0, 10_002, 2)).resize((512, 256), FILTERS["bicubic"]))
    expected = middle[16:240, 144:368].transpose(2, 0, 1) / 255
    assert np.abs(found - expected).max() < 2.1 / 255


def test_a_side_is_never_rounded_to_nothing():
    settings = Preprocess(size=(32, 32), resize="longest")
    assert resized_size((1, 5000), settings) == (1, 32)
    assert pixel_values(photo(1, 5000), settings).shape == (3, 32, 32)


def test_a_tall_strip_is_squashed_to_the_same_pixels_in_less_memory(monkeypatch):
    strip = photo(30, 4000, seed=5)
    settings = Preprocess(size=(64, 200), resize="squash")
    plain = pixel_values(strip, settings)
    monkeypatch.setattr(
        "edgeembed_runtime.inputs.image.preprocess._MAX_BETWEEN_PIXELS", 200 * 4000 - 1
    )
    between = pixel_values(strip, settings)
    assert np.abs(between - plain).max() < 3.1 / 255


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"size": (0, 4)}, "size"),
        ({"size": (224, 5000)}, "size"),
        ({"resize_to": 0}, "resize_to"),
        ({"resize": "fit"}, "preprocess.resize"),
        ({"interpolation": "cubic"}, "preprocess.interpolation"),
        ({"crop": "none"}, "preprocess.crop"),
        ({"rounding": "up"}, "preprocess.rounding"),
        ({"std": (1.0, 0.0, 1.0)}, "preprocess.std"),
        ({"mean": (1.0,)}, "preprocess.mean"),
        ({"pad": (0, 0, 256)}, "preprocess.pad"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(wrong, place):
    with pytest.raises(BundleCorruptError, match=place):
        Preprocess(**{"size": (32, 32), **wrong})
