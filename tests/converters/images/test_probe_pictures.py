"""The pictures that conversions are proven on."""

import io

from PIL import Image

from edgeembed_converters.probe_pictures import calibration_pictures, probe_pictures


def test_they_are_the_same_every_time_small_and_of_every_mode():
    files = probe_pictures()
    assert files == probe_pictures()
    assert sum(map(len, files)) < 300_000
    pictures = [Image.open(io.BytesIO(file)) for file in files]
    assert {picture.mode for picture in pictures} == {"RGB", "L", "P", "RGBA", "LA"}
    assert len({picture.size for picture in pictures}) > 8
    assert any(picture.getexif().get(0x0112, 1) != 1 for picture in pictures)


def test_none_is_calibrated_on():
    assert not set(probe_pictures()) & set(calibration_pictures(4))
