"""transformers' vision models against themselves: their own processor, from the file."""

import pytest
import torch
import transformers as t

from edgeembed import convert
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import ConversionError, InputError, UnsupportedModelError
from helpers.image_processors import processor_of, saved_processor

pytestmark = pytest.mark.slow

_COMMON = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "initializer_range": 0.2,
}


SQUARE = {"size": {"height": 32, "width": 32}}
CUT = {"size": {"shortest_edge": 36}, "crop_size": {"height": 28, "width": 28}}
CASES = {
    "vit": (
        lambda: t.ViTModel(t.ViTConfig(**_COMMON, image_size=32, patch_size=8)),
        lambda: processor_of("ViTImageProcessor", **SQUARE),
    ),
    "dinov2": (
        lambda: t.Dinov2Model(t.Dinov2Config(**_COMMON, image_size=28, patch_size=14)),
        lambda: processor_of("BitImageProcessor", **CUT),
    ),
    "convnext": (
        lambda: t.ConvNextModel(
            t.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, image_size=32)
        ),
        lambda: processor_of("ConvNextImageProcessor", size={"shortest_edge": 32}, crop_pct=0.875),
    ),
    "resnet": (
        lambda: t.ResNetModel(
            t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
        ),
        lambda: processor_of("ConvNextImageProcessor", size={"shortest_edge": 32}, crop_pct=0.875),
    ),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    made = {}

    def directory(kind):
        if kind not in made:
            torch.manual_seed(3)
            model, processor = CASES[kind]
            made[kind] = tmp_path_factory.mktemp("models") / f"tiny-{kind}"
            model().eval().save_pretrained(made[kind])
            processor().save_pretrained(made[kind])
        return made[kind]

    return directory


def original_output(directory, paths, opened):
    processor = saved_processor(directory)
    model = t.AutoModel.from_pretrained(directory).eval()
    with torch.no_grad():
        pixels = [processor(opened(path), return_tensors="pt")["pixel_values"] for path in paths]
        return model(torch.cat(pixels))


@pytest.mark.parametrize("kind", CASES)
def test_vectors_are_the_originals_from_the_file(
    kind, saved, tmp_path, image_files, opened, assert_close
):
    report = convert(saved(kind), tmp_path / "bundle")
    assert (report.max_tokens, report.pooling) == (None, "pooler")
    expected = original_output(saved(kind), image_files, opened).pooler_output.flatten(1)
    with Encoder.load(report.path) as encoder:
        assert encoder.modalities == ("image",)
        assert_close(expected, encoder.encode_image(image_files))


def test_without_a_trained_pooler_the_first_token_is_taken_and_that_is_noted(
    tmp_path, image_files, opened, assert_close
):
    torch.manual_seed(3)
    config = t.ViTConfig(**_COMMON, image_size=32, patch_size=8)
    t.ViTModel(config, add_pooling_layer=False).save_pretrained(tmp_path / "vit")
    processor_of("ViTImageProcessor", **SQUARE).save_pretrained(tmp_path / "vit")
    report = convert(tmp_path / "vit", tmp_path / "bundle", normalize=True)
    assert "cls was assumed" in report.notes[0]
    hidden = original_output(tmp_path / "vit", image_files, opened).last_hidden_state
    expected = torch.nn.functional.normalize(hidden[:, 0], dim=-1)
    with Encoder.load(report.path) as encoder:
        assert_close(expected, encoder.encode_image(image_files))


def test_mean_pooling_is_over_the_patches(saved, tmp_path, image_files, opened, assert_close):
    report = convert(saved("dinov2"), tmp_path / "bundle", pooling="mean")
    hidden = original_output(saved("dinov2"), image_files, opened).last_hidden_state
    with Encoder.load(report.path) as encoder:
        assert_close(hidden[:, 1:].mean(1), encoder.encode_image(image_files))


def test_pooling_that_images_do_not_have(saved, tmp_path):
    with pytest.raises(InputError, match=r"pooling: expected cls or mean .* got 'last'"):
        convert(saved("vit"), tmp_path / "bundle", pooling="last")


def test_files_for_phones_are_for_texts(saved, tmp_path):
    with pytest.raises(InputError, match="mobile"):
        convert(saved("vit"), tmp_path / "bundle", mobile=True)


def test_a_processor_that_cannot_be_described(saved, tmp_path):
    torch.manual_seed(3)
    t.ViTModel(t.ViTConfig(**_COMMON, image_size=32, patch_size=8)).save_pretrained(tmp_path / "v")
    bounds = {"size": {"shortest_edge": 32, "longest_edge": 64}, "do_center_crop": False}
    processor_of("BitImageProcessor", **bounds).save_pretrained(tmp_path / "v")
    with pytest.raises(UnsupportedModelError, match="expected a height and a width"):
        convert(tmp_path / "v", tmp_path / "bundle")


def test_a_damaged_processor(saved, tmp_path):
    t.ViTModel(t.ViTConfig(**_COMMON, image_size=32, patch_size=8)).save_pretrained(tmp_path / "v")
    (tmp_path / "v" / "preprocessor_config.json").write_text("{")
    with pytest.raises(ConversionError, match="preprocessor_config"):
        convert(tmp_path / "v", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
