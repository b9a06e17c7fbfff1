"""A page of image thumbnails in one HTML file: no network, no other files, no index needed."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeembed.export.outputs import write_html
from edgeembed.results.template import page_template
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.inputs.image.decode import decode, plan_decoding
from edgeembed_runtime.inputs.image.open import DEFAULT_MAX_PIXELS, open_image

_TEMPLATE = Path(__file__).with_name("gallery.html.jinja")
_SIDE = 256
_QUALITY = 80


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An image on the page: its file, and its caption."""

    path: Path
    note: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of images under a title, which is empty for a single row of results."""

    title: str
    images: tuple[Shown, ...]


def write_gallery(path: Path, title: str, rows: Sequence[Row]) -> None:
    """Write the page; for an image that cannot be read, only its name is shown.

    Raises:
        MissingExtraError: jinja2 or Pillow is not installed.
        StorageError: the file cannot be written.
    """
    template = page_template(_TEMPLATE, "an HTML page", "cli")
    page = template.render(title=title, rows=list(_filled(rows)))
    write_html(path, page)


def thumbnail(path: Path) -> str | None:
    """An image's thumbnail as a data: URI of a JPEG, upright; None if it cannot be read."""
    try:
        with open_image(path) as opened:
            plan = plan_decoding(opened, DEFAULT_MAX_PIXELS, _SIDE)
            image = decode(opened, plan, _SIDE)
    except InputError:
        return None
    image.thumbnail((_SIDE, _SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _filled(rows: Sequence[Row]) -> Iterable[dict[str, object]]:
    for row in rows:
        images = [
            {"name": str(p.path), "note": p.note, "data": thumbnail(p.path)} for p in row.images
        ]
        yield {"title": row.title, "images": images}
