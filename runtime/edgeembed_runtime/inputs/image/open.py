"""Safe opening of untrusted images: formats, dimensions and file sizes are limited."""

import contextlib
import io
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from edgeembed_runtime._internal.forks import ForkedLock
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime._internal.plain_files import NotPlainFileError, open_plain_file
from edgeembed_runtime.errors import InputError, MissingExtraError
from edgeembed_runtime.inputs.image.bounded_stream import BoundedStream
from edgeembed_runtime.inputs.image.jpeg_scans import count_scans

# What `Encoder.encode_image` accepts: a path, a file's bytes, an open file, a PIL image, or a uint8
# array of shape (height, width), or (height, width, channels) with 1, 3 or 4 channels.
if TYPE_CHECKING:
    from PIL.Image import Image

    ImageInput = str | os.PathLike[str] | bytes | bytearray | IO[bytes] | Image | NDArray[np.uint8]
else:  # Pillow is optional
    ImageInput = Any

JPEGS = ("JPEG", "MPO")
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "JPEG2000")
DEFAULT_MAX_PIXELS = 50_000_000
# What a JPEG may have. Pillow keeps a pointer for each row, and resizes in steps of whole rows and
# columns: an image of 1 x 49 million pixels takes 2 GB.
MAX_SIDE = 65_535
# A compressed file is smaller than this; a larger one may hide data that Pillow keeps in memory.
_BYTES_PER_PIXEL = 2
_SMALL_FILE_BYTES = 8 << 20
# For WebP, AVIF and HEIC: the decoder holds the whole file, and a copy of it.
_WHOLE_FILE_BYTES = 64 << 20
_CHANNELS = (1, 3, 4)
_MAGIC = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "an EPS drawing"),
    (b"\xc5\xd0\xd3\xc6", "an EPS drawing"),
    (b"SIMPLE  =", "a FITS file"),
    (b"PK\x03\x04", "a ZIP archive"),
)
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_PROBE_BYTES = 512
# An unloaded PIL image reads its file lazily, which is not thread-safe.
_loading = ForkedLock()


@dataclass(frozen=True, kw_only=True)
class OpenedImage:
    """An image whose header has been read, or that was in memory already.

    If `owned`, nobody else holds the image, so it may be modified. `scans` is how many scans of a
    JPEG are collected before there are pixels; 0 for all others.
    """

    image: "Image"
    name: str
    owned: bool
    scans: int = 0


@contextlib.contextmanager
def open_image(image: ImageInput, max_pixels: int = DEFAULT_MAX_PIXELS) -> Generator[OpenedImage]:
    """Open an image without decoding it; its file is closed when the block ends.

    Raises:
        InputError: it is not an image in a supported format, or the file or a side is too large;
            the message names the file, if there is one.
        MissingExtraError: Pillow is not installed.
    """
    pil = _pillow()
    if isinstance(image, pil.Image):
        image = cast("Image", image)
        with _loading:
            _loaded(image, max_pixels)
        yield OpenedImage(image=image, name="a PIL image", owned=False)
    elif isinstance(image, np.ndarray):
        yield OpenedImage(image=_from_array(image, pil), name="an array", owned=True)
    else:
        name = image_name(image)
        with _stream(image, name) as stream, _open(stream, name, max_pixels) as image:
            _check_sides(name, image.size)
            scans = count_scans(stream) if image.format in JPEGS else 0
            yield OpenedImage(image=image, name=name, owned=True, scans=scans)


def image_name(image: ImageInput) -> str:
    """Return what to call an image in messages: its path, or a description."""
    if isinstance(image, str | os.PathLike):
        return os.fsdecode(image)
    if isinstance(image, bytes | bytearray | memoryview):
        return f"an image of {len(image)} bytes"
    name = getattr(image, "name", None)
    return name if isinstance(name, str) else f"an image in a {type(image).__name__}"


def is_single_image(value: object) -> TypeGuard[ImageInput]:
    """Return whether a value is one image rather than a list of images."""
    return (
        isinstance(value, str | os.PathLike | bytes | bytearray | memoryview | np.ndarray)
        or hasattr(value, "read")
        or (hasattr(value, "getexif") and hasattr(value, "convert"))
    )


def too_large(name: str, size: tuple[int, int], max_pixels: int) -> InputError:
    """Build the error for an image with too many pixels."""
    return InputError(
        f"{name}: expected an image of at most {max_pixels / 1e6:g} million pixels (fewer in "
        f"formats that need more memory), got {size[0]} x {size[1]}; scale it down, save it as a "
        "baseline JPEG, or pass a higher max_pixels"
    )


def _check_sides(name: str, size: tuple[int, int]) -> None:
    if not 1 <= min(size) <= max(size) <= MAX_SIDE:
        raise InputError(
            f"{name}: expected sides of 1 to {MAX_SIDE} pixels, got {size[0]} x {size[1]}; "
            "cut a longer one into pieces, or scale it down"
        )


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError.for_extra("encoding images", "image") from error
    return Image


def _loaded(image: "Image", max_pixels: int) -> None:
    _check_sides("a PIL image", image.size)
    if image.width * image.height > max_pixels:
        raise too_large("a PIL image", image.size, max_pixels)
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plugins raise errors of any type
        raise InputError(
            f"a PIL image: expected one that can be read, got: {first_line(error)}"
        ) from error


def _from_array(array: NDArray[Any], pil: Any) -> "Image":
    valid = array.dtype == np.uint8 and array.size > 0 and array.ndim in (2, 3)
    if not valid or (array.ndim == 3 and array.shape[2] not in _CHANNELS):
        raise InputError(
            "expected an array of (height, width, 3) uint8, got "
            f"{array.shape} {array.dtype}; values of 0 to 255, colors last"
        )
    _check_sides("an array", (array.shape[1], array.shape[0]))
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return pil.fromarray(np.ascontiguousarray(array))


@contextlib.contextmanager
def _stream(image: object, name: str) -> Generator[IO[bytes]]:
    if isinstance(image, bytes | bytearray | memoryview):
        yield io.BytesIO(image)
    elif isinstance(image, str | os.PathLike):
        with _open_file(Path(name), name) as file:
            yield file
    elif hasattr(image, "read"):
        file = cast("IO[bytes]", image)
        if not (hasattr(file, "seekable") and file.seekable()):
            raise InputError(f"{name}: expected a seekable file; read it and pass the bytes")
        yield file
    else:
        raise InputError(
            "expected an image: a path, bytes, a file, a PIL image or an array of "
            f"(height, width, 3) uint8, got {type(image).__name__}"
        )


def _open_file(path: Path, name: str) -> IO[bytes]:
    try:
        return open_plain_file(path, follow_links=True)
    except NotPlainFileError as error:
        raise InputError(f"{name}: expected an image file, got {error.found}") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{name}: expected an image file, found nothing") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise InputError(f"{name}: expected an image file, got: {first_line(error)}") from error


def _open(stream: IO[bytes], name: str, max_pixels: int) -> "Image":
    from PIL import Image, UnidentifiedImageError

    header = _read_header(stream, name, max_pixels)
    try:
        if header[4:8] == b"ftyp":  # the container of HEIC, among others
            _register_heif()
        # Pillow stops at a format that no plugin reads.
        formats = [each for each in FORMATS if each != "HEIF" or each in Image.OPEN]
        image = Image.open(cast("IO[bytes]", BoundedStream(stream)), formats=formats)
    except UnidentifiedImageError as error:
        raise InputError(
            f"{name}: expected an image ({', '.join(FORMATS)}), got {_looks_like(header)}"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plugins raise errors of any type
        raise InputError(f"{name}: expected an image, got: {first_line(error)}") from error
    return image


def _register_heif() -> None:
    from PIL import Image

    if "HEIF" not in Image.OPEN:
        with contextlib.suppress(ImportError):  # it is not wherever Pillow is
            import pillow_heif

            pillow_heif.register_heif_opener()


def _read_header(stream: IO[bytes], name: str, max_pixels: int) -> bytes:
    try:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        header = stream.read(_PROBE_BYTES)
        stream.seek(0)
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: could not be read: {first_line(error)}") from error
    if not isinstance(header, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"{name}: expected a file opened in binary mode, got one of text")
    if not header:
        raise InputError(f"{name}: expected an image, got 0 bytes")
    is_whole = header[8:12] == b"WEBP" or header[4:8] == b"ftyp"
    limit = _WHOLE_FILE_BYTES if is_whole else max(_SMALL_FILE_BYTES, _BYTES_PER_PIXEL * max_pixels)
    if size > limit:
        raise InputError(
            f"{name}: expected an image of at most {limit / 1e6:.0f} MB, got {size / 1e6:.0f} MB; "
            "scale it down, or save it as JPEG"
        )
    return header


def _looks_like(header: bytes) -> str:
    for magic, what in _MAGIC:
        if header.startswith(magic):
            return what
    if b"<svg" in header:
        return "an SVG drawing"
    if header[4:8] == b"ftyp" and header[8:12] in _HEIC:
        return "a HEIC picture, which pillow-heif reads: pip install 'edgeembed[image]'"
    if header[4:10] == b"ftypcr":
        return "a raw photo of a camera; save it as JPEG"
    return f"something that begins with {header[:8]!r}"
