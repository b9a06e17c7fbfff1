"""`edgeembed convert` and `quantize` on models of images."""

import pytest
import torch

pytestmark = pytest.mark.slow

pytest.importorskip("PIL", reason="the extra 'image' has Pillow")


@pytest.fixture(scope="module")
def vision_directory(tmp_path_factory):
    import transformers as t

    from helpers.image_processors import processor_of

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny-convnext"
    config = t.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, image_size=32)
    t.ConvNextModel(config).eval().save_pretrained(folder)
    settings = {"size": {"shortest_edge": 32}, "crop_pct": 0.875}
    processor_of("ConvNextImageProcessor", **settings).save_pretrained(folder)
    return folder


@pytest.fixture
def photos(tmp_path):
    from PIL import Image

    folder = tmp_path / "photos"
    folder.mkdir()
    for shade in range(3):
        Image.new("RGB", (40, 30), (80 * shade, 20, 200)).save(folder / f"{shade}.png")
    return folder


def test_a_vision_directory_becomes_a_bundle(run, vision_directory, tmp_path, photos):
    from edgeembed_runtime.encoder.encoder import Encoder

    result = run("convert", vision_directory, tmp_path / "out", "--calibration-images", photos)
    assert result.exit_code == 0, result.stderr
    assert "images of 32x32 pixels" in result.stdout
    assert "24 images" in result.stdout
    with Encoder.load(tmp_path / "out") as encoder:
        assert encoder.encode_image(photos / "0.png").shape == (16,)


def test_json_and_quantize(run_json, vision_directory, tmp_path, photos):
    tree = run_json("convert", vision_directory, tmp_path / "out")
    assert (tree["max_tokens"], tree["pixels"], tree["image"]) == (None, [32, 32], None)
    smaller = run_json(
        "quantize", tmp_path / "out", tmp_path / "s", "--quantize", "fp16",
        "--calibration-images", photos,
    )  # fmt: skip
    assert [v["name"] for v in smaller["variants"]] == ["fp32", "fp16"]


def test_a_folder_without_images(run, vision_directory, tmp_path):
    (tmp_path / "empty").mkdir()
    result = run(
        "convert", vision_directory, tmp_path / "out", "--quantize", "int8",
        "--calibration-images", tmp_path / "empty",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "--calibration-images: expected at least one image" in result.stderr
    assert not (tmp_path / "out").exists()
