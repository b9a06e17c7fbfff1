import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgeembed.ingest.images.metadata import image_metadata

TAKEN, ZONE, GPS = 0x9003, 0x9011, 0x8825


def picture(main=(), taken=(), place=(), kind="JPEG"):
    exif = Image.Exif()
    exif.update(dict(main))
    exif.get_ifd(0x8769).update(dict(taken))
    exif.get_ifd(GPS).update(dict(place))
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, kind, exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_date_camera_and_place_are_read_from_every_kind(kind):
    image = picture(
        {0x010F: "Apple", 0x0110: "iPhone 15"},
        {TAKEN: "2024:05:01 12:30:00", ZONE: "+02:00"},
        {1: "S", 2: (33.0, 51.0, 25.2), 3: "E", 4: (151.0, 12.0, 30.0)},
        kind,
    )
    assert image_metadata(image) == {
        "date": "2024-05-01T12:30:00+02:00",
        "camera": "Apple iPhone 15",
        "lat": -33.857,
        "lon": 151.2083333,
    }


@pytest.mark.parametrize(
    ("main", "taken", "expected"),
    [
        ({0x0132: "2020:01:02 03:04:05"}, {}, {"date": "2020-01-02T03:04:05"}),
        ({}, {0x9004: "2021:01:02 03:04:05\0"}, {"date": "2021-01-02T03:04:05"}),
        ({}, {TAKEN: "2024:05:01 12:30:00", ZONE: "summer"}, {"date": "2024-05-01T12:30:00"}),
        ({}, {TAKEN: "0000:00:00 00:00:00"}, {}),
        ({}, {TAKEN: "2024:02:30 00:00:00"}, {}),
        ({}, {TAKEN: "    :  :     :  :  "}, {}),
        ({0x010F: "NIKON CORPORATION", 0x0110: "NIKON D850"}, {}, {"camera": "NIKON D850"}),
        ({0x0110: "a\x1b[31m" + "b" * 500}, {}, {"camera": "a [31m" + "b" * 94}),
    ],
)
def test_what_is_said_otherwise_or_wrong(main, taken, expected):
    assert image_metadata(picture(main, taken)) == expected


@pytest.mark.parametrize(
    "place",
    [
        {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)},
        {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (1.0, 0.0, 0.0)},
        {1: "N", 2: (38.0, 0.0), 3: "E", 4: (1.0, 0.0, 0.0)},
        {2: (38.0, 0.0, 0.0), 4: (1.0, 0.0, 0.0)},
        {1: "X", 2: (38.0, 0.0, 0.0), 3: "E", 4: (1.0, 0.0, 0.0)},
    ],
)
def test_a_place_that_cannot_be_is_left_out(place):
    assert image_metadata(picture(place=place)) == {}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_damaged_metadata_is_left_out(data):
    image = bytearray(
        picture({0x010F: "Make"}, {TAKEN: "2024:05:01 12:30:00"}, {1: "N", 2: (1.0, 2.0, 3.0)})
    )
    for _ in range(3):
        at = data.draw(st.integers(0, len(image) - 1))
        image[at] = data.draw(st.integers(0, 255))
    assert set(image_metadata(bytes(image))) <= {"date", "camera", "lat", "lon"}
