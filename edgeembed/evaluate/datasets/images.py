"""Images with labels or captions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from edgeembed.ingest.images.kinds import is_image
from edgeembed.ingest.texts import read_json
from edgeembed_runtime.errors import InputError

CAPTIONS = "captions.json"


@dataclass(frozen=True, kw_only=True)
class LabeledImages:
    """Image files and the label of each."""

    images: tuple[Path, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CaptionedImages:
    """Image files, captions, and the image number of each caption."""

    images: tuple[Path, ...]
    captions: tuple[str, ...]
    image_of: tuple[int, ...]


def has_captions(path: Path) -> bool:
    """Whether a folder has images with captions."""
    return (path / CAPTIONS).is_file()


def has_labeled_images(path: Path) -> bool:
    """Whether a folder has folders of images, and no captions."""
    return path.is_dir() and not has_captions(path) and bool(images_in_folders(path))


def read_labeled_images(folder: Path) -> LabeledImages:
    """Read a folder of folders of images; a folder's name is the label.

    Raises:
        InputError: fewer than two folders have images.
    """
    images = images_in_folders(folder)
    labels = tuple(path.parent.name for path in images)
    if len(set(labels)) < 2:
        raise InputError(
            f"{folder}: expected two folders of images or more, found {len(set(labels))}"
        )
    return LabeledImages(images=tuple(images), labels=labels)


def images_in_folders(folder: Path) -> list[Path]:
    """The image files one level down, sorted."""
    return [path for path in sorted(folder.glob("*/*")) if is_image(path)]


def read_captioned_images(folder: Path) -> CaptionedImages:
    """Read a folder of images and captions.json: {file name: [caption, ...]}.

    Raises:
        InputError: captions.json has another form, or an image is missing.
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
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise InputError(f"{path}: the image {name!r:.80} is not in this folder")
        if not image.is_file():
            raise InputError(f"{path}: expected the image {name}, found nothing")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InputError(f"{path}: expected a list of captions for {name}")
        images.append(image)
        captions += cast(list[str], texts)
        image_of += [number] * len(cast(list[str], texts))
    return CaptionedImages(images=tuple(images), captions=tuple(captions), image_of=tuple(image_of))
