"""A contact sheet: the photos of a folder that answer a question best, on one PNG.

Run: python examples/contact_sheet.py BUNDLE FOLDER "a dog on a beach" OUT.png
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from edgeembed import Encoder

COLUMNS, MOST, SIDE, MARGIN, LINE = 4, 12, 200, 10, 18
KINDS = (".jpg", ".jpeg", ".png", ".webp")


def main() -> None:
    """Rank the photos, and draw the best of them."""
    if len(sys.argv) != 5:
        sys.exit('usage: python examples/contact_sheet.py BUNDLE FOLDER "QUERY" OUT.png')
    bundle, folder, query, out = sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in KINDS)
    if not photos:
        sys.exit(f"no photos in {folder}")
    with Encoder.load(bundle) as encoder:
        scores = encoder.similarity(encoder.encode(query), encoder.encode_image(photos))
    order = np.argsort(-np.ravel(scores))[:MOST]
    best = [(photos[place], float(np.ravel(scores)[place])) for place in order]
    sheet(query, best).save(out)
    print(f"{out}: {len(best)} of {len(photos)} photos, the best is {best[0][0].name}")


def sheet(title: str, best: list[tuple[Path, float]]) -> Image.Image:
    """Thumbnails in rows, each with its name and score."""
    rows = -(-len(best) // COLUMNS)
    width = MARGIN + COLUMNS * (SIDE + MARGIN)
    height = MARGIN + LINE + rows * (SIDE + LINE + MARGIN)
    page = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN // 2), title, fill="black")
    for number, (path, score) in enumerate(best):
        left = MARGIN + number % COLUMNS * (SIDE + MARGIN)
        top = MARGIN + LINE + number // COLUMNS * (SIDE + LINE + MARGIN)
        with Image.open(path) as opened:
            photo = ImageOps.exif_transpose(opened).convert("RGB")
        page.paste(ImageOps.pad(photo, (SIDE, SIDE), color="#eeeeee"), (left, top))
        draw.text((left, top + SIDE + 2), f"{score:.2f}  {path.name[:26]}", fill="black")
    return page


if __name__ == "__main__":
    main()
