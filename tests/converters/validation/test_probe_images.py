"""The images that conversions are proven on."""

import io

from PIL import Image

from edgeembed_converters.validation.probe_images import calibration_images, probe_images


def test_they_are_the_same_every_time_small_and_of_every_mode():
    files = probe_images()
    assert files == probe_images()
    assert sum(map(len, files)) < 300_000
    images = [Image.open(io.BytesIO(file)) for file in files]
    assert {image.mode for image in images} == {"RGB", "L", "P", "RGBA", "LA"}
    assert len({image.size for image in images}) > 8
    assert any(image.getexif().get(0x0112, 1) != 1 for image in images)


def test_none_is_calibrated_on():
    assert not set(probe_images()) & set(calibration_images(4))
