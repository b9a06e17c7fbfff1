"""Images of every mode and orientation, and files that are none: refused by name."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import edgeembed_runtime.inputs.image.open as open_module
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.image.decode import decode, plan_decoding
from edgeembed_runtime.inputs.image.open import DEFAULT_MAX_PIXELS, open_image
from helpers.tiny_images import as_bytes, photo

FLAT = Image.new("RGB", (40, 30), (200, 100, 50))


def decoded(image, max_pixels=DEFAULT_MAX_PIXELS, side=32):
    """An image as upright RGB."""
    with open_image(image, max_pixels) as opened:
        image = decode(opened, plan_decoding(opened, max_pixels, side), side)
        assert image.mode == "RGB"
        return image


def pixels(image, **limits):
    return np.asarray(decoded(image, **limits)).astype(int)


@pytest.mark.parametrize(
    ("kind", "mode", "tolerance"),
    [
        ("PNG", "RGB", 0),
        ("JPEG", "RGB", 3),
        ("WEBP", "RGB", 6),
        ("BMP", "RGB", 0),
        ("TIFF", "RGB", 0),
        ("GIF", "P", 6),
        ("PNG", "P", 6),
        ("JPEG", "CMYK", 4),
        ("TIFF", "CMYK", 1),
        ("PNG", "RGBA", 0),
        ("JPEG", "YCbCr", 4),
        ("AVIF", "RGB", 6),
        ("AVIF", "RGBA", 6),
        ("HEIF", "RGB", 6),
        ("HEIF", "RGBA", 6),
        ("JPEG2000", "RGB", 3),
        ("JPEG2000", "RGBA", 3),
    ],
)
def test_every_format_and_mode_becomes_rgb(kind, mode, tolerance):
    made = FLAT.quantize(8) if mode == "P" else FLAT.convert(mode)
    found = pixels(as_bytes(made, kind))
    assert np.abs(found - [200, 100, 50]).max() <= tolerance


@pytest.mark.parametrize(
    ("kind", "size", "fits"),
    [
        ("HEIF", (5712, 4284), True),  # what a phone takes
        ("HEIF", (8064, 6048), False),
        ("AVIF", (4032, 3024), True),
        ("AVIF", (5712, 4284), False),
        ("JPEG2000", (3800, 2500), True),
        ("JPEG2000", (4032, 3024), False),
    ],
)
def test_formats_whose_decoders_need_more_memory_may_have_fewer_pixels(kind, size, fits):
    with open_image(as_bytes(FLAT, kind)) as opened:
        opened.image._size = size
        if fits:
            assert plan_decoding(opened, DEFAULT_MAX_PIXELS, 224).bytes <= 4 * DEFAULT_MAX_PIXELS
        else:
            with pytest.raises(InputError, match="fewer in formats that need more memory"):
                plan_decoding(opened, DEFAULT_MAX_PIXELS, 224)


@pytest.mark.parametrize("kind", ["AVIF", "HEIF", "JPEG2000"])
def test_newer_formats_that_are_cut_off_are_refused(kind):
    whole = as_bytes(photo(200, 160), kind)
    with pytest.raises(InputError, match="expected a"):
        decoded(whole[: len(whole) // 2])


def test_without_its_plug_in_a_heic_picture_is_named(monkeypatch):
    image = as_bytes(FLAT, "HEIF")
    monkeypatch.setattr(open_module, "FORMATS", ("JPEG", "AVIF"))
    with pytest.raises(
        InputError, match="got a HEIC picture, which pillow-heif reads: pip install"
    ):
        decoded(image)


def test_a_plug_in_that_is_not_loaded_stands_in_the_way_of_no_other_format(monkeypatch):
    image, heic = as_bytes(FLAT, "JPEG2000"), as_bytes(FLAT, "HEIF")
    monkeypatch.delitem(Image.OPEN, "HEIF")
    assert np.abs(pixels(image) - (200, 100, 50)).max() <= 3
    with pytest.raises(InputError, match="got something that begins with b'junk'"):
        decoded(b"junk")
    monkeypatch.setattr(open_module, "_register_heif", lambda: None)
    with pytest.raises(InputError, match="got a HEIC picture"):
        decoded(heic)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "I", "F"])
def test_grey_is_the_same_in_all_channels(mode):
    grey = np.linspace(0, 255, 30 * 40).reshape(30, 40)
    made = {
        "I;16": lambda: Image.fromarray((grey * 257).astype(np.uint16)),
        "I": lambda: Image.fromarray(grey.astype(np.int32)),
        "F": lambda: Image.fromarray(grey.astype(np.float32)),
    }.get(mode, lambda: Image.fromarray(grey.astype(np.uint8)).convert(mode))()
    found = pixels(as_bytes(made, "TIFF" if mode in "IF" else "PNG"))
    assert (found == found[:, :, :1]).all()
    if mode != "1":
        assert np.abs(found[:, :, 0] - grey).max() <= 1


def test_16_bit_grey_is_scaled_and_not_clipped():
    values = np.array([[0, 256, 32768, 65535]], np.uint16)
    assert pixels(as_bytes(Image.fromarray(values)))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_16_bit_colors_keep_their_high_bytes():
    rows = b"".join(b"\0" + struct.pack(">3H", 0x1234, 0xABCD, 0xFF00) * 4 for _ in range(4))
    assert pixels(png(4, 4, rows, depth=16))[0, 0].tolist() == [0x12, 0xAB, 0xFF]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_image_is_turned_as_its_exif_says(kind, orientation):
    upright = np.zeros((30, 40, 3), np.uint8)
    upright[:15, :20], upright[15:, 20:] = (255, 0, 0), (0, 255, 0)
    # What a camera stores, so that turning it gives the upright image.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = as_bytes(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif, **options)
    found = pixels(data)
    assert found.shape == upright.shape
    difference = np.abs(found - upright.astype(int))
    assert difference.mean() < 8 if kind == "JPEG" else difference.max() == 0


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_turns_nothing():
    data = as_bytes(FLAT, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff junk")
    assert pixels(data).shape == (30, 40, 3)


def test_alpha_is_dropped_as_the_libraries_drop_it():
    image = FLAT.convert("RGBA")
    image.putalpha(0)
    assert pixels(as_bytes(image))[0, 0].tolist() == [200, 100, 50]
    palette = as_bytes(FLAT.quantize(8), transparency=b"\0" * 8)
    assert np.abs(pixels(palette)[0, 0] - [200, 100, 50]).max() < 6


def test_the_first_frame_of_an_animation_counts():
    frames = [Image.new("RGB", (8, 8), (n, 0, 0)) for n in range(3)]
    for kind, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})):
        data = as_bytes(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert pixels(data)[0, 0].tolist() == [0, 0, 0]


def test_a_large_jpeg_is_decoded_smaller_and_a_large_png_is_refused():
    image = photo(400, 300)
    found = decoded(as_bytes(image, "JPEG", quality=95), max_pixels=40_000, side=16)
    assert found.size == (200, 150)
    near = image.resize((200, 150), Image.Resampling.BOX)
    assert np.abs(np.asarray(found).astype(int) - np.asarray(near)).mean() < 6
    with pytest.raises(InputError, match=r"at most 0\.04 million pixels .*, got 400 x 300"):
        decoded(as_bytes(image), max_pixels=40_000, side=16)
    with pytest.raises(InputError, match="got 400 x 300"):  # too little would be left
        decoded(as_bytes(image, "JPEG"), max_pixels=40_000, side=60)


def test_more_than_24_million_pixels_are_averaged_first(monkeypatch):
    monkeypatch.setattr("edgeembed_runtime.inputs.image.decode._LARGE_PIXELS", 10_000)
    image = photo(400, 300)
    exif = Image.Exif()
    exif[0x0112] = 6
    for mode in ("RGB", "RGBA", "P", "L"):
        found = decoded(as_bytes(image.convert(mode), exif=exif), side=25)
        assert found.size == (75, 100)


def test_the_plan_counts_what_a_progressive_jpeg_keeps():
    wide = photo(800, 600)
    plans = []
    for progressive in (False, True):
        data = as_bytes(wide, "JPEG", progressive=progressive)
        with open_image(data) as opened:
            plans.append(plan_decoding(opened, DEFAULT_MAX_PIXELS, 32).bytes)
    assert plans[1] - plans[0] == 800 * 600 * 3 * 2


def scan_of(components, jpeg):
    """Where the first scan of a JPEG begins, and a scan of one component that has no pixels."""
    at = jpeg.index(b"\xff\xda")
    return at, b"\xff\xda\x00\x08\x01" + bytes([components]) + b"\x00\x00\x3f\x00\x00"


def test_scans_are_counted_as_libjpeg_meets_them():
    plain = as_bytes(photo(), "JPEG")
    at, alone = scan_of(1, plain)
    progressive = as_bytes(photo(), "JPEG", progressive=True)
    thumbnail = plain[:2] + b"\xff\xe2\x40\x02" + progressive.ljust(0x4000, b"\0")[:0x4000]
    cases = {
        plain: 0,
        as_bytes(photo().convert("L"), "JPEG"): 0,
        thumbnail + plain[2:]: 0,
        progressive: 10,
        thumbnail + progressive[2:]: 10,
        plain[:at] + alone * 3 + plain[at:]: 4,
        plain[:at] + b"junk\xff\xff" + alone + plain[at:]: 2,
    }
    for data, scans in cases.items():
        with open_image(data) as opened:
            assert opened.scans == scans
    # The bytes of a marker, parted by the end of a block.
    far = (1 << 20) - progressive.index(b"\xff\xda") - 4
    with open_image(progressive + bytes(far) + b"\xff\xda" * 3 + b"\xda") as opened:
        assert opened.scans == 13


def test_a_scan_for_each_color_is_planned_as_a_progressive_jpeg_is():
    plain = as_bytes(photo(800, 600), "JPEG")
    at, alone = scan_of(1, plain)
    with open_image(plain[:at] + alone + plain[at:]) as opened, open_image(plain) as usual:
        more = plan_decoding(opened, DEFAULT_MAX_PIXELS, 32).bytes
        assert more - plan_decoding(usual, DEFAULT_MAX_PIXELS, 32).bytes == 800 * 600 * 3 * 2


def test_a_jpeg_whose_scans_would_take_minutes_is_refused():
    image = as_bytes(photo(800, 600), "JPEG", progressive=True)
    at = image.index(b"\xff\xda")
    image = image[:at] + image[at:-2] * 400 + image[-2:]
    with pytest.raises(InputError, match="at most 3289 scans in a JPEG of this size, got 4000"):
        decoded(image)


@pytest.mark.parametrize("size", [(1, 65_536), (65_536, 1), (49_000_000, 1)])
def test_long_sides_are_refused_however_few_pixels_there_are(size):
    message = f"sides of 1 to 65535 pixels, got {size[0]} x {size[1]}"
    with pytest.raises(InputError, match=message):
        decoded(png(size[0], size[1], b""))
    if max(size) < 100_000:
        for given in (Image.new("1", size), np.zeros(size[::-1], np.uint8)):
            with pytest.raises(InputError, match=message):
                decoded(given)


def test_a_file_of_countless_parts_is_refused(monkeypatch):
    monkeypatch.setattr("edgeembed_runtime.inputs.image.bounded_stream._MAX_READS", 3_000)
    plain = as_bytes(photo(), "JPEG")
    chunks = png(1, 1, b"\0\0\0\0")
    rle = struct.pack("<IiiHHIIiiII", 40, 70, 70, 1, 8, 1, 10, 0, 0, 256, 0) + bytes(1024)
    for data in (
        plain[:2] + b"\xff\xee\0\2" * 1_000 + plain[2:],
        chunks[:33] + chunk(b"tEXt", b"k\0v") * 1_000 + chunks[33:],
        b"BM" + struct.pack("<IHHI", 54, 0, 0, 1078) + rle + bytes(6_000),
    ):
        with pytest.raises(InputError, match="takes more than 3000 reads"):
            decoded(data)
    assert decoded(plain).size == (64, 48)


def test_objects_that_hold_no_pixels_are_refused():
    step = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (70_000, 70_000, 3), (0, 0, 0))
    values = (
        *(Image.new("RGB", size) for size in ((0, 5), (5, 0))),
        *(
            np.zeros(shape, np.uint8)
            for shape in ((0, 5, 3), (5, 0), (5,), (2, 2, 2), (1, 2, 3, 4))
        ),
        *(np.zeros((4, 4, 3), kind) for kind in (object, float, bool, "S1", "M8[s]", np.int8)),
        step,
        memoryview(b""),
        bytearray(),
        io.StringIO("text"),
        None,
        5,
    )
    for value in values:
        with pytest.raises(InputError):
            decoded(value)


# -- what is no image ------------------------------------------------------------------------


def chunk(kind, data):
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png(width, height, rows, depth=8):
    """A PNG file of RGB rows, however large it says that it is."""
    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


JPEG = as_bytes(photo(200, 160), "JPEG")
NOT_IMAGES = {
    "empty.jpg": (b"", "got 0 bytes"),
    "truncated.jpg": (JPEG[: len(JPEG) // 2], "truncated or damaged"),
    "truncated.png": (as_bytes(photo(99, 99))[:9000], "truncated or damaged"),
    "header.jpg": (JPEG[:30], "expected an image"),
    "bomb.png": (png(60_000, 60_000, b""), "expected an image"),
    "large.png": (png(8_000, 7_000, b""), "at most 50 million pixels .*, got 8000 x 7000"),
    "drawing.png": (b'<?xml version="1.0"?><svg width="9"></svg>', "got an SVG drawing"),
    "paper.png": (b"%PDF-1.7\n%junk\n" * 20, "got a PDF document"),
    "print.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "got an EPS drawing"),
    "sky.png": (b"SIMPLE  =                    T" + b" " * 2850, "got a FITS file"),
    "text.png": ("a plain text, naïve".encode(), "something that begins with b'a plain"),
    "noise.gif": (b"GIF89a" + bytes(range(256)), "expected a"),
    "noise.tif": (b"II*\0\x08\0\0\0" + b"\xff" * 64, "expected an image"),
    "noise.webp": (b"RIFF\x40\0\0\0WEBPVP8 " + b"\xff" * 64, "expected an image"),
    "noise.bmp": (b"BM" + b"\xff" * 64, "expected a"),
}


@pytest.mark.parametrize("name", NOT_IMAGES)
@pytest.mark.filterwarnings("ignore:Truncated File Read", "ignore:Corrupt EXIF")
def test_what_is_no_image_is_refused_by_name(name, tmp_path):
    data, message = NOT_IMAGES[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        decoded(path)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError, match=message):
        decoded(data)


def test_places_that_hold_no_file_are_refused_by_name(tmp_path):
    (tmp_path / "x.jpg").mkdir()
    for name, found in (("x.jpg", "got a directory"), ("gone.jpg", "found nothing")):
        with pytest.raises(InputError, match=f"{name}: expected an image file, {found}"):
            decoded(tmp_path / name)
    with pytest.raises(InputError, match="expected an image file"):
        decoded("a\0b.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match="a special file"):
        decoded(tmp_path / "pipe.jpg")


def test_a_file_that_cannot_seek_is_refused():
    read, write = os.pipe()
    os.close(write)
    with os.fdopen(read, "rb") as stream, pytest.raises(InputError, match="seek"):
        decoded(stream)


def test_a_file_larger_than_any_image_of_its_pixels_is_refused(tmp_path):
    path = tmp_path / "padded.jpg"
    path.write_bytes(JPEG + b"\0" * (9 << 20))
    with pytest.raises(InputError, match=r"padded\.jpg: expected an image of at most 8 MB"):
        decoded(path, max_pixels=40_000)


def test_a_pil_image_that_is_too_large_or_truncated_is_refused():
    with pytest.raises(InputError, match="a PIL image: expected an image of at most"):
        decoded(photo(40, 40), max_pixels=100)
    with pytest.raises(InputError, match="a PIL image: expected one that can be read"):
        decoded(Image.open(io.BytesIO(JPEG[:3000])))


def test_a_pil_image_stays_as_it_is():
    image = photo().quantize(16)
    image.info["transparency"] = b"\0" * 16
    before = image.copy()
    decoded(image)
    assert image.info["transparency"] == b"\0" * 16 and image.mode == "P"
    assert image.tobytes() == before.tobytes()
