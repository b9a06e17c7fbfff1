"""Images that a stranger could hand over, each the same for the same number.

Half are built to take memory or time: sides, chunks, scans, strips and tags that lie or repeat. The
others are sound images of every format and mode that were damaged afterwards.
"""

import io
import random
import struct
import warnings
import zlib
from collections.abc import Callable
from functools import cache

from faults.harness.mutations import damaged

Made = tuple[str, bytes]
_SIDES = (
    0,
    1,
    2,
    3,
    7,
    255,
    8192,
    16_383,
    32_768,
    65_535,
    65_536,
    49_000_000,
    2**31 - 1,
    2**32 - 1,
)
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr")
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "JPEG2000")
_TIFF_COMPRESSIONS = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")
_MAGIC = (
    *(b"", b"%PDF-1.7", b"%!PS", b"SIMPLE  =", b"PK\3\4", b"<svg", b"II*\0", b"BM", b"GIF89a"),
    *(b"\0\0\0\x0cjP  \r\n\x87\n", b"\0\0\0\x1cftypavif", b"\xff\xd8\xff"),
    b"RIFF\xff\xff\xff\x7fWEBP",
)
_COLOR_TYPES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def hostile_image(number: int) -> Made:
    """What it is, and the file's bytes."""
    chance = random.Random(f"hostile image {number}")
    kind = chance.choice(_KINDS)
    return kind(chance)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@cache
def _zeros(size: int) -> bytes:
    """So many zeros, deflated a thousandfold."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    parts = [packer.compress(block) for _ in range(size >> 20)]
    return b"".join([*parts, packer.compress(bytes(size & 0xFFFFF)), packer.flush()])


def png(
    width: int, height: int, *, color: int = 2, depth: int = 8, adam7: int = 0, extra: bytes = b""
) -> bytes:
    """A PNG of zeros whose data is whole if that is at most 250 MB."""
    row = 1 + -(-width * _COLOR_TYPES.get(color, 1) * depth // 8)
    data = _zeros(min(row * height, 250_000_000))
    palette = _chunk(b"PLTE", bytes(3 * 4)) if color == 3 else b""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, adam7)
    parts = (_chunk(b"IHDR", header), palette, extra, _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(entries: list[tuple[int, int, int, int]], data: bytes = b"", after: int = 0) -> bytes:
    """A TIFF of one directory of (tag, type, count, value), and what follows it."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (
        b"II*\0\x08\0\0\0"
        + struct.pack("<H", len(entries))
        + packed
        + struct.pack("<I", after)
        + data
    )


def _png_of_any_size(chance: random.Random) -> Made:
    width, height = chance.choice(_SIDES), chance.choice(_SIDES)
    if chance.random() < 0.5:  # as long as is allowed, and as narrow
        width = chance.choice((1, 2, 5, 100, 1000, 7000))
        height = 49_000_000 // width
        if chance.random() < 0.5:
            width, height = height, width
    color, depth = chance.choice(
        ((0, 1), (0, 16), (2, 8), (2, 16), (3, 4), (4, 16), (6, 8), (6, 16))
    )
    image = png(width, height, color=color, depth=depth, adam7=chance.randrange(2))
    return f"PNG of {width} x {height}, color {color}, {depth} bits", image


def _png_with_chunks(chance: random.Random) -> Made:
    bomb = _zeros(chance.choice((1_000_000, 60_000_000, 250_000_000)))
    kind, extra = chance.choice(
        (
            ("zTXt", _chunk(b"zTXt", b"k\0\0" + bomb)),
            ("iCCP", _chunk(b"iCCP", b"k\0\0" + bomb)),
            ("iTXt", _chunk(b"iTXt", b"k\0\1\0\0\0" + bomb)),
            (
                "zTXt often",
                _chunk(b"zTXt", b"k\0\0" + _zeros(1_000_000)) * chance.choice((8, 64, 500)),
            ),
            ("tEXt often", _chunk(b"tEXt", b"k\0v") * chance.choice((1000, 200_000))),
            ("acTL", _chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
            ("tRNS", _chunk(b"tRNS", bytes(chance.choice((1, 2, 5, 300))))),
            ("eXIf", _chunk(b"eXIf", _exif(chance))),
            ("gAMA", _chunk(b"gAMA", bytes(chance.randrange(5)))),
            ("unknown", _chunk(b"abCd", bytes(chance.choice((0, 10, 7_000_000))))),
        )
    )
    return f"PNG with {kind}", png(8, 8, extra=extra)


def _exif(chance: random.Random) -> bytes:
    count = chance.choice((1, 3, 60_000))
    entries = [
        (chance.choice((274, 34665, 34853, 40965, 37500, 330)), chance.randrange(14), n, at)
        for n, at in (
            (chance.choice((1, 2, 2**16, 2**32 - 1)), chance.choice((6, 8, 10, 2**31)))
            for _ in range(min(count, 5000))
        )
    ]
    return tiff(entries, bytes(64), chance.choice((0, 8, 2**32 - 1)))


def _jpeg_with_exif(chance: random.Random) -> Made:
    exif = b"Exif\0\0" + _exif(chance)
    exif = exif[:65_000]
    image = _saved("JPEG", "RGB", 0)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    return "JPEG with EXIF", image[:2] + segment * chance.choice((1, 1, 50)) + image[2:]


def _jpeg_of_any_size(chance: random.Random) -> Made:
    progressive = chance.random() < 0.6
    image = _saved("JPEG", chance.choice(("L", "RGB", "CMYK")), 1 if progressive else 0)
    frame = image.find(b"\xff\xc2" if progressive else b"\xff\xc0")
    scan = image.find(b"\xff\xda")
    width, height = chance.choice(
        (
            (7000, 7000),
            (65_500, 763),
            (763, 65_500),
            (4000, 4000),
            (65_500, 65_500),
            (0, 9),
            (1, 65_500),
        )
    )
    head = bytearray(image[:scan])
    head[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    # A scan costs a pass over all coefficients, however few bytes it has.
    scans = chance.choice((1, 20, 400, 3000)) if progressive else chance.choice((1, 1, 20))
    body = image[scan:-2] * scans
    return f"JPEG of {width} x {height}, {scans} times its scans", bytes(head) + body + b"\xff\xd9"


def _tiff_of_any_size(chance: random.Random) -> Made:
    width, height = chance.choice(
        ((8, 8), (7000, 7000), (1, 65_535), (65_535, 1), (1, 49_000_000), (2**31, 2**31), (0, 8))
    )
    bits, samples = chance.choice(
        ((1, 1), (8, 1), (8, 3), (8, 4), (16, 1), (16, 3), (32, 1), (64, 3))
    )
    compression = chance.choice((1, 1, 5, 7, 8, 32773, 50000, 99))
    tiled = chance.random() < 0.3
    data = chance.choice((bytes(200), _zeros(200_000_000), _zeros(1000), chance.randbytes(500)))
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, bits),
        (259, 3, 1, compression),
        (262, 3, 1, chance.choice((0, 1, 2, 3, 5, 6, 8))),
        (277, 3, 1, samples),
        (284, 3, 1, chance.choice((1, 1, 2))),
    ]
    if tiled:
        side = chance.choice((16, 4096, 60_000, 2**31 - 16))
        entries += [(322, 4, 1, side), (323, 4, 1, chance.choice((16, side)))]
        entries += [(324, 4, 1, 300), (325, 4, 1, len(data))]
    else:
        entries += [(273, 4, 1, 300), (278, 4, 1, chance.choice((1, height % 2**32, 2**32 - 1)))]
        entries += [(279, 4, 1, chance.choice((len(data), 0, 2**32 - 1)))]
    if chance.random() < 0.3:
        entries[chance.randrange(len(entries))] = (
            chance.choice((256, 258, 273, 279, 320, 330, 338, 339)),
            chance.randrange(14),
            chance.choice((0, 2, 2**16, 2**32 - 1)),
            chance.choice((8, 100, 2**31)),
        )
    image = tiff(sorted(entries), after=chance.choice((0, 0, 8)))
    what = f"TIFF of {width} x {height}, {samples} x {bits} bits, compression {compression}"
    return what + (", tiled" if tiled else ""), image.ljust(300, b"\0") + data


def _bmp_of_any_size(chance: random.Random) -> Made:
    width = chance.choice((8, 7000, 1, 65_535, 2**31 - 1, -8))
    height = chance.choice((8, 7000, -7000, 1, 49_000_000, 2**31 - 1, -(2**31)))
    bits, compression = chance.choice(((1, 0), (4, 2), (8, 1), (16, 3), (24, 0), (32, 3)))
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 10, 0, 0, 256, 0)
    data = bytes(1024) + chance.choice(
        (b"\0\1", bytes(300), b"\xff\0" * 5000, b"\0\2\xff\xff" * 2000)
    )
    return f"BMP of {width} x {height}, {bits} bits", (
        b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54 + 1024) + header + data
    )


def _gif_of_any_size(chance: random.Random) -> Made:
    image = bytearray(_saved("GIF", "P", 1))
    side = struct.pack("<HH", chance.choice((1, 7000, 65_535)), chance.choice((1, 7000, 65_535)))
    at = image.find(b"\x2c")
    if chance.random() < 0.7:
        image[6:10] = side
    if chance.random() < 0.7 and at > 0:
        image[at + 5 : at + 9] = side
    return "GIF with other sides", bytes(image) * chance.choice((1, 1, 40))


def _webp_of_any_size(chance: random.Random) -> Made:
    image = bytearray(_saved("WEBP", "RGBA", chance.choice((0, 1))))
    at = chance.randrange(12, min(len(image) - 4, 60))
    image[at : at + 4] = chance.choice(
        (b"\xff\xff\xff\x0f", b"\xff\x3f\xff\x3f", b"\0\0\0\0", b"\xff" * 4)
    )
    return "WEBP with another header", bytes(image)


def _boxes_of_any_size(chance: random.Random) -> Made:
    """An AVIF, HEIC or JPEG 2000 with other sides where the header has its own."""
    kind = chance.choice(("AVIF", "HEIF", "JPEG2000"))
    image = _saved(kind, chance.choice(("RGB", "RGBA", "L")), chance.randrange(2))
    old = struct.pack(">II", *((40, 48) if kind == "JPEG2000" else (48, 40)))
    width, height = chance.choice(_SIDES), chance.choice(_SIDES)
    new = struct.pack(">II", width % 2**32, height % 2**32)
    if kind == "JPEG2000" and chance.random() < 0.7:  # the code stream has them the other way round
        image = image.replace(struct.pack(">II", 48, 40), struct.pack(">II", height, width))
    return f"{kind} of {width} x {height}", image.replace(old, new, chance.choice((1, -1)))


def _damaged(chance: random.Random) -> Made:
    kind, mode = chance.choice(_FORMATS), chance.choice(_MODES)
    image = _saved(kind, mode, chance.randrange(4))
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        image = damaged(image, chance) or image
    return f"{kind} of {mode}, damaged", image


def _other(chance: random.Random) -> Made:
    noise = chance.randbytes(chance.choice((1, 100, 5000)))
    magic = chance.choice(_MAGIC)
    return f"noise after {magic!r}", magic + noise


@cache
def _saved(kind: str, mode: str, variant: int) -> bytes:
    """A sound image of this format, in this mode if the format can."""
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    noise = random.Random(1).randbytes(48 * 40 * 3)
    image = Image.frombytes("RGB", (48, 40), noise)
    if mode == "I;16":
        image = image.convert("L").convert("I").convert("I;16")
    else:
        image = image.convert(mode)
    for made in (image, image.convert("L" if mode == "1" else "RGB")):
        options: dict[str, object] = {
            "JPEG": {"progressive": bool(variant % 2), "quality": 60},
            "WEBP": {"lossless": bool(variant % 2), "save_all": variant > 1},
            "GIF": {"save_all": True, "append_images": [made.rotate(90)] * (variant // 2)},
            "TIFF": {"compression": _TIFF_COMPRESSIONS[variant]},
            "AVIF": {"speed": 10, "subsampling": ("4:2:0", "4:4:4")[variant % 2]},
            "HEIF": {"chroma": (420, 444)[variant % 2]},
            "JPEG2000": {"num_resolutions": 1 + variant, "tile_size": (variant * 16,) * 2},
        }.get(kind, {})
        stream = io.BytesIO()
        try:
            with warnings.catch_warnings():
                # pillow-heif 1.8 calls what Pillow 13 means to remove.
                warnings.simplefilter("ignore", DeprecationWarning)
                made.save(stream, kind, **options)
        except (OSError, ValueError, RuntimeError, KeyError):
            continue  # this format has no such mode
        return stream.getvalue()
    raise AssertionError((kind, mode, variant))


_KINDS: tuple[Callable[[random.Random], Made], ...] = (
    _png_of_any_size,
    _png_with_chunks,
    _jpeg_with_exif,
    _jpeg_of_any_size,
    _tiff_of_any_size,
    _tiff_of_any_size,
    _bmp_of_any_size,
    _gif_of_any_size,
    _webp_of_any_size,
    _boxes_of_any_size,
    *(_damaged,) * 9,
    _other,
)
