"""Images with labels or captions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from edgeembed.evaluate.files.json_file import read_json
from edgeembed_runtime.errors import InputError

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"})
CAPTIONS = "captions.json"


@dataclass(frozen=True, kw_only=True)
class LabelledImages:
    """Image files and the label of each."""

    images: tuple[Path, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CaptionedImages:
    """Image files, captions, and the number of the image that each caption is of."""

    images: tuple[Path, ...]
    captions: tuple[str, ...]
    image_of: tuple[int, ...]


def read_labeled_images(folder: Path) -> LabelledImages:
    """Read a folder of folders of images; a folder's name is the label.

    Raises:
        InputError: fewer than two folders have images.
    """
    images = [path for path in sorted(folder.glob("*/*")) if path.suffix.lower() in SUFFIXES]
    labels = tuple(path.parent.name for path in images)
    if len(set(labels)) < 2:
        raise InputError(
            f"{folder}: expected two folders of images or more, found {len(set(labels))}"
        )
    return LabelledImages(images=tuple(images), labels=labels)


def read_captioned_images(folder: Path) -> CaptionedImages:
    """Read a folder of images and captions.json: {file name: [caption, ...]}.

    Raises:
        InputError: captions.json is not so, or an image is missing.
    """
    path = folder / CAPTIONS
    tree = read_json(path)
    if not isinstance(tree, dict) or not tree:
        raise InputError(f"{path}: expected captions by file name")
    images: list[Path] = []
    captions: list[str] = []
    image_of: list[int] = []
    for number, (name, texts) in enumerate(cast(dict[str, Any], tree).items()):
        image = folder / name
        if not image.is_file():
            raise InputError(f"{path}: expected the image {name}, found nothing")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InputError(f"{path}: expected a list of captions for {name}")
        images.append(image)
        captions += cast(list[str], texts)
        image_of += [number] * len(cast(list[str], texts))
    return CaptionedImages(images=tuple(images), captions=tuple(captions), image_of=tuple(image_of))
