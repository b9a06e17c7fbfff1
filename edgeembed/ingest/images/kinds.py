"""Kinds of image files by their names: those that are read, and those that are told to be left."""

from collections.abc import Iterable
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    {
        *{".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".j2k", ".jfif", ".jp2", ".jpe"},
        *{".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"},
    }
)
"""What `Encoder.encode_image` reads, lower case."""

_RAW = "a raw photo of a camera"
UNREAD_SUFFIXES = {
    **dict.fromkeys((".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".kdc"), _RAW),
    **dict.fromkeys((".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2"), _RAW),
    **dict.fromkeys((".rwl", ".sr2", ".srf", ".srw", ".x3f"), _RAW),
    **dict.fromkeys((".ai", ".eps", ".svg", ".svgz"), "a drawing of lines"),
    **dict.fromkeys((".dib", ".exr", ".icns", ".ico", ".jpx", ".jxl", ".pcx"), "another kind"),
    **dict.fromkeys((".psb", ".psd", ".tga", ".xcf"), "another kind"),
}
"""What other pictures are, by their suffixes."""
_SHOWN = 3


def is_image(path: Path) -> bool:
    """Whether a file's name says that it is an image that can be read."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def unread_kind(path: Path) -> str | None:
    """What a file is, by its name, if it is an image of a kind that is not read."""
    return UNREAD_SUFFIXES.get(path.suffix.lower())


def unread_images(paths: Iterable[Path]) -> tuple[str, ...]:
    """A message for each kind of image among the paths that cannot be read: how many, and which."""
    by_suffix: dict[str, list[Path]] = {}
    for path in paths:
        if unread_kind(path):
            by_suffix.setdefault(path.suffix.lower(), []).append(path)
    return tuple(_message(suffix, found) for suffix, found in sorted(by_suffix.items()))


def nothing_read(files: int) -> str:
    """A message on a folder without images that can be read."""
    return f"no images among {files} files: expected names in {', '.join(sorted(IMAGE_SUFFIXES))}"


def _message(suffix: str, paths: list[Path]) -> str:
    names = ", ".join(str(path) for path in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    text = f"{len(paths)} {suffix} not read, {UNREAD_SUFFIXES[suffix]}: save as JPEG: {names}{more}"
    return text.encode(errors="backslashreplace").decode()  # paths may not be UTF-8
