"""timm, open_clip and torchvision against themselves. They are no dependency of the tests."""

import numpy as np
import pytest
import torch

from edgeembed import convert
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError, UnsupportedModelError

WHY = "needs packages that the tests do not install: a torchvision that fits torch"
TEXTS = [
    "a photo of a cat",
    "Two dogs — “one” of them's asleep!!  don't",
    "",
    "naïve café & 東京 ﬁne 😍 £3.50 {it's} ABC_def",
    "a very long caption about nothing " * 20,
]


def skip_without(name):
    # A torchvision that was built for another torch raises RuntimeError.
    return pytest.importorskip(name, reason=WHY, exc_type=Exception)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def timm():
    skip_without("torchvision")
    return skip_without("timm")


@pytest.fixture(scope="module")
def open_clip():
    skip_without("torchvision")
    return skip_without("open_clip")


def encoded(report, paths):
    with Encoder.load(report.path) as encoder:
        return encoder.encode_image(paths)


def timm_vectors(timm, model, paths, opened):
    settings = timm.data.resolve_model_data_config(model)
    transform = timm.data.create_transform(**settings, is_training=False)
    with torch.no_grad():
        pixels = torch.stack([transform(opened(path)) for path in paths])
        return model.forward_head(model.forward_features(pixels), pre_logits=True)


VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 1, "num_heads": 2}


def tiny_vit(timm, **settings):
    torch.manual_seed(1)
    overlay = {"input_size": (3, 32, 32), **settings}
    return timm.create_model(
        "vit_tiny_patch16_224", num_classes=5, pretrained_cfg_overlay=overlay, **VIT
    ).eval()


def test_a_live_timm_model_with_its_data_configuration(
    timm, tmp_path, image_files, opened, assert_close
):
    model = tiny_vit(timm)
    expected = timm_vectors(timm, model, image_files, opened)
    assert_close(expected, encoded(convert(model, tmp_path / "bundle"), image_files))


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
def test_every_way_in_which_timm_cuts_images(
    mode, timm, tmp_path, image_files, opened, assert_close
):
    model = tiny_vit(timm, crop_mode=mode, crop_pct=1.0)
    expected = timm_vectors(timm, model, image_files, opened)
    assert_close(expected, encoded(convert(model, tmp_path / "bundle"), image_files))


def test_a_directory_that_timm_saved(timm, tmp_path, image_files, opened, assert_close):
    from timm.models._hub import save_for_hf

    model = tiny_vit(timm)
    save_for_hf(model, tmp_path / "tiny", model_args=VIT, safe_serialization="both")
    expected = timm_vectors(timm, model, image_files, opened)
    report = convert(tmp_path / "tiny", tmp_path / "bundle", normalize=True)
    assert report.head == ("Normalize",)
    assert_close(torch.nn.functional.normalize(expected), encoded(report, image_files))


def test_branches_are_merged(timm, tmp_path, image_files, opened, assert_close):
    torch.manual_seed(1)
    model = timm.create_model("mobileone_s0", num_classes=0).eval()
    for part in model.modules():  # statistics as training leaves them; random ones explode
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_var.fill_(4.0)
    expected = timm_vectors(timm, model, image_files[:4], opened)
    report = convert(model, tmp_path / "bundle")
    assert_close(expected, encoded(report, image_files[:4]))
    weights = sum(each.numel() for each in model.parameters()) * 4
    assert report.sizes["fp32"] < 0.9 * weights


def tiny_clip(open_clip, kind):
    torch.manual_seed(2)
    model = open_clip.model
    vision = model.CLIPVisionCfg(layers=2, width=32, head_width=16, patch_size=8, image_size=32)
    text = {"context_length": 40, "width": 32, "heads": 2, "layers": 2}
    made = {
        "clip": lambda: model.CLIP(16, vision, model.CLIPTextCfg(**text)),
        "custom": lambda: model.CustomTextCLIP(16, vision, model.CLIPTextCfg(**text)),
        "siglip": lambda: model.CustomTextCLIP(
            16,
            vision,
            model.CLIPTextCfg(**text, no_causal_mask=True, pool_type="last", proj_bias=True),
            init_logit_bias=-10.0,
        ),
    }[kind]().eval()
    with torch.no_grad():
        for name, weights in made.named_parameters():
            if "logit" not in name:
                weights += 0.1 * torch.randn_like(weights)
    clean = "canonicalize" if kind == "siglip" else "lower"
    return made, open_clip.SimpleTokenizer(context_length=40, clean=clean)


@pytest.mark.parametrize("kind", ["clip", "custom", "siglip"])
def test_a_live_open_clip_model_and_its_tokenizer(
    kind, open_clip, tmp_path, image_files, opened, assert_close
):
    model, tokenizer = tiny_clip(open_clip, kind)
    settings = open_clip.transform.PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
    transform = open_clip.transform.image_transform_v2(settings, is_train=False)
    report = convert(model, tmp_path / "bundle", tokenizer=tokenizer)
    with torch.no_grad():
        pixels = torch.stack([transform(opened(path)) for path in image_files])
        images = model.encode_image(pixels, normalize=True)
        texts = model.encode_text(tokenizer(TEXTS), normalize=True)
    with Encoder.load(report.path) as encoder:
        assert_close(texts, encoder.encode(TEXTS), cosine=0.99999)
        assert_close(images, encoder.encode_image(image_files))
        scale = encoder.manifest.logit_scale
    assert scale == pytest.approx(float(model.logit_scale.detach().exp()))


def test_the_bpe_tokenizer_gives_the_same_ids(open_clip):
    from edgeembed_converters.sources.open_clip_tokenizer import tokenizer_of

    for clean in ("lower", "canonicalize", "whitespace"):
        theirs = open_clip.SimpleTokenizer(context_length=77, clean=clean)
        ours = tokenizer_of(theirs)
        ours.enable_truncation(77)
        ours.enable_padding(length=77, pad_id=0)
        assert [ours.encode(text).ids for text in TEXTS] == theirs(TEXTS).tolist()


def test_an_open_clip_model_without_its_tokenizer(open_clip, tmp_path):
    with pytest.raises(InputError, match=r"open_clip.get_tokenizer"):
        convert(tiny_clip(open_clip, "clip")[0], tmp_path / "bundle")


def test_a_transform_of_torchvision_says_how_images_are_prepared(
    tmp_path, image_files, opened, assert_close
):
    skip_without("torchvision")
    from torchvision import models, transforms

    torch.manual_seed(0)
    model = torch.nn.Sequential(*list(models.squeezenet1_1().features)[:3]).eval()
    preset = transforms._presets.ImageClassification(crop_size=32, resize_size=36)
    steps = transforms.Compose(
        [
            transforms.Resize(36),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize(preset.mean, preset.std),
        ]
    )
    for number, transform in enumerate((preset, steps)):
        with torch.no_grad():
            pixels = torch.stack([transform(opened(path)) for path in image_files])
            expected = model(pixels).mean((2, 3))
        report = convert(model, tmp_path / f"{number}", preprocess=transform)
        assert_close(expected, encoded(report, image_files))


def test_a_step_that_a_bundle_does_not_know(tmp_path):
    skip_without("torchvision")
    from torchvision import transforms

    steps = transforms.Compose([transforms.Resize(36), transforms.Grayscale()])
    with pytest.raises(UnsupportedModelError, match="Grayscale"):
        convert(torch.nn.Identity(), tmp_path / "bundle", preprocess=steps)
    assert np.array_equal(list(tmp_path.iterdir()), [])
