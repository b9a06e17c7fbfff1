"""Memory stays within bounds, whatever the images: measured in a process of its own."""

import json
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from helpers.tiny_images import as_bytes, photo

resource = pytest.importorskip("resource", reason="no peak of memory is told here")

# The bar: what hostile images may add to a process.
MAX_MB = 250
WORK = """
import itertools, json, resource, sys
from pathlib import Path
from edgeembed_runtime.encoder.encoder import Encoder
from edgeembed_runtime.errors import InputError

def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6

bundle, folder, count = sys.argv[1:]
paths = sorted(Path(folder).iterdir())
with Encoder.load(bundle, variant="fp32", threads=2) as encoder:
    list(encoder.encode_image_iter([paths[0]] * 20))
    before, found = peak(), {}
    stream = itertools.islice(itertools.cycle(paths), int(count))
    for path, outcome in zip(itertools.cycle(paths), encoder.encode_image_iter(stream)):
        found[path.name] = str(outcome) if isinstance(outcome, InputError) else "encoded"
    print(json.dumps({"added": peak() - before, "found": found}))
"""


def run(bundle, folder, count):
    """What was added to memory, in MB, and what became of each file."""
    output = subprocess.run(
        [sys.executable, "-c", WORK, str(bundle), str(folder), str(count)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return json.loads(output)


def many_frames(frames):
    """A GIF of 1000 x 1000 with so many frames."""
    screen = struct.pack("<HHBBB", 1000, 1000, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + screen + frame * frames + b";"


@pytest.mark.slow
def test_hostile_images_take_less_than_250_mb(image_path, tmp_path):
    large = Image.fromarray(np.zeros((6_000, 8_200, 3), np.uint8))  # 49 million pixels
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {
        "0.png": as_bytes(photo()),
        "empty.jpg": b"",
        "frames.gif": many_frames(10_000),
        "turned.jpg": as_bytes(large, "JPEG", exif=exif),
        "progressive.jpg": as_bytes(large, "JPEG", progressive=True),
        "cmyk.jpg": as_bytes(large.convert("CMYK"), "JPEG"),
        "large.png": as_bytes(large, compress_level=1),
        "alpha.webp": as_bytes(large.crop((0, 0, 4_000, 3_000)).convert("RGBA"), "WEBP", quality=1),
        "huge.gif": b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0x80, 0, 0) + bytes(99),
        "padded.webp": b"RIFF\xff\xff\xff\x7fWEBPVP8X" + bytes(70 << 20),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "x.jpg").mkdir()
    result = run(image_path, tmp_path, len(files) + 1)
    encoded = {name for name, what in result["found"].items() if what == "encoded"}
    assert encoded >= {"0.png", "frames.gif", "turned.jpg", "large.png", "cmyk.jpg"}
    for name in set(result["found"]) - encoded:
        assert str(tmp_path / name) in result["found"][name]
    assert result["added"] < MAX_MB


def test_memory_is_flat_over_many_images(image_path, tmp_path):
    for number in range(8):
        size = (160 + 20 * number, 320 - 25 * number)
        photo(*size, seed=number).save(tmp_path / f"{number}.jpg")
    assert run(image_path, tmp_path, 400)["added"] < 30
