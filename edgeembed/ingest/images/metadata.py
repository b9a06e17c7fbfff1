"""What a picture says of itself, in EXIF: when, by which camera and where it was taken."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from edgeembed_runtime.errors import EdgeEmbedError
from edgeembed_runtime.index.base.dates import is_date
from edgeembed_runtime.inputs.image.open import ImageInput, open_image

if TYPE_CHECKING:
    from PIL.Image import Image

_EXIF, _GPS = 0x8769, 0x8825
# In the EXIF directory, with the tag of its time zone: taken, digitized.
_DATES = ((0x9003, 0x9011), (0x9004, 0x9012))
# In the main directory: changed.
_CHANGED, _CHANGED_ZONE = 0x0132, 0x9010
_MAKE, _MODEL = 0x010F, 0x0110
_DATE = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)")
_MAX_CHARS = 100


def image_metadata(image: ImageInput) -> dict[str, str | float]:
    """`date` (ISO 8601), `camera`, `lat` and `lon` (degrees), as far as a picture has them.

    Only the header is read. Nothing is raised for what is wrong in it: it is left out.
    """
    try:
        with open_image(image) as opened:
            return _found(opened.image)
    except EdgeEmbedError:
        return {}


def _found(image: "Image") -> dict[str, str | float]:
    try:
        exif = image.getexif()
        main, taken, place = dict(exif), exif.get_ifd(_EXIF), exif.get_ifd(_GPS)
    except MemoryError:
        raise
    except Exception:  # Pillow raises errors of any type for invalid EXIF data
        return {}
    found: dict[str, str | float] = {}
    if date := _date(main, taken):
        found["date"] = date
    if camera := _camera(_text(main.get(_MAKE)), _text(main.get(_MODEL))):
        found["camera"] = camera
    lat, lon = _degrees(place, 1, "NS", 90), _degrees(place, 3, "EW", 180)
    if lat is not None and lon is not None and (lat or lon):  # 0, 0: a device that did not know
        found["lat"], found["lon"] = lat, lon
    return found


def _date(main: Mapping[int, Any], taken: Mapping[int, Any]) -> str | None:
    pairs = [(taken.get(date), taken.get(zone)) for date, zone in _DATES]
    for text, zone in (*pairs, (main.get(_CHANGED), taken.get(_CHANGED_ZONE))):
        if match := _DATE.match(_text(text)):
            date = f"{match[1]}-{match[2]}-{match[3]}T{match[4]}"
            zoned = date + _text(zone)
            if is_date(date):
                return zoned if is_date(zoned) else date
    return None


def _camera(make: str, model: str) -> str:
    """Make and model, without the make where the model begins with it."""
    first = make.split(" ")[0].casefold()
    return model if first and model.casefold().startswith(first) else f"{make} {model}".strip()


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    text = value.partition("\0")[0] if isinstance(value, str) else ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MAX_CHARS]


def _degrees(place: Mapping[int, Any], tag: int, signs: str, limit: int) -> float | None:
    sign, parts = _text(place.get(tag)).upper()[:1], place.get(tag + 1)
    if not sign or sign not in signs or not isinstance(parts, tuple):
        return None
    numbers = cast("tuple[Any, ...]", parts)
    try:
        degrees, minutes, seconds = (float(number) for number in numbers)
    except (TypeError, ValueError, ArithmeticError):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(value) or not 0 <= value <= limit:
        return None
    return round(-value if sign == signs[1] else value, 7)
