"""Images and texts in one space: zero-shot classification, and retrieval by caption."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeembed.evaluate.datasets.images import (
    CaptionedImages,
    LabeledImages,
    has_captions,
    has_labeled_images,
    read_captioned_images,
    read_labeled_images,
)
from edgeembed.evaluate.models.model import ImageModel, Model, Vectors
from edgeembed.evaluate.tasks.registry import TaskSource, register_task
from edgeembed.evaluate.tasks.task import Observed, OnStep, Values, fingerprint
from edgeembed_runtime.errors import InputError
from edgeembed_runtime.storage import sha256_file

# As in CLIP (https://arxiv.org/abs/2103.00020, section 3.1.4).
TEMPLATE = "a photo of a {}."


@dataclass(frozen=True, kw_only=True)
class ZeroShot:
    """Accuracy of the label nearest to an image; rows: top 1, top 5 (0 or 1)."""

    name: str
    data: LabeledImages
    template: str = TEMPLATE
    kind = "zero-shot"
    metric = "accuracy"
    is_quality = True

    @property
    def fingerprint(self) -> str:
        """See `Task`."""
        contents = [sha256_file(image) for image in self.data.images]
        return fingerprint(self.kind, [self.data, contents], template=self.template)

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`."""
        names = sorted(set(self.data.labels))
        on_step(f"{self.name}: encoding {len(self.data.images)} images")
        images = _image_vectors(model, self.data.images)
        texts = model.encode(
            [self.template.format(name.replace("_", " ")) for name in names], "plain"
        )
        ranked = np.argsort(-model.compare(images, texts), axis=1, kind="stable")
        right = np.array([names.index(label) for label in self.data.labels])[:, None]
        columns = [(ranked[:, :k] == right).any(axis=1) for k in (1, 5)]
        return Observed(values=np.stack(columns, axis=1).astype(np.float64))

    def score(self, values: Values) -> float:
        """See `Task`."""
        return 100 * float(values[:, 0].mean())

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`."""
        return {"top 5": 100 * float(values[:, 1].mean())}


@dataclass(frozen=True, kw_only=True)
class ImageText:
    """Recall@1 of finding an image by its caption.

    Rows, one per caption: whether its image comes first, is in the top 5, and whether the image's
    nearest caption is one of its own.
    """

    name: str
    data: CaptionedImages
    kind = "image-text"
    metric = "recall@1"
    is_quality = True

    @property
    def fingerprint(self) -> str:
        """See `Task`."""
        contents = [sha256_file(image) for image in self.data.images]
        return fingerprint(self.kind, [self.data, contents])

    def observe(self, model: Model, on_step: OnStep) -> Observed:
        """See `Task`."""
        on_step(f"{self.name}: encoding {len(self.data.images)} images")
        images = _image_vectors(model, self.data.images)
        scores = model.compare(model.encode(self.data.captions, "plain"), images)
        own = np.array(self.data.image_of)
        ranked = np.argsort(-scores, axis=1, kind="stable")
        first, five = ((ranked[:, :k] == own[:, None]).any(axis=1) for k in (1, 5))
        back = own[scores.argmax(axis=0)] == np.arange(len(images))
        return Observed(values=np.stack([first, five, back[own]], axis=1).astype(np.float64))

    def score(self, values: Values) -> float:
        """See `Task`."""
        return 100 * float(values[:, 0].mean())

    def details(self, values: Values) -> Mapping[str, float]:
        """See `Task`."""
        five, back = 100 * values[:, 1:].mean(axis=0)
        return {"recall@5": float(five), "image to text recall@1": float(back)}


@register_task("zero-shot", matches_path=has_labeled_images)
def open_zero_shot(source: TaskSource) -> ZeroShot:
    """Open a folder of folders of images."""
    return ZeroShot(name=source.path.name, data=read_labeled_images(source.path))


@register_task("image-text", matches_path=has_captions)
def open_image_text(source: TaskSource) -> ImageText:
    """Open a folder of images with captions."""
    return ImageText(name=source.path.name, data=read_captioned_images(source.path))


def _image_vectors(model: Model, images: tuple[Path, ...]) -> Vectors:
    if not isinstance(model, ImageModel):
        raise InputError(f"{model.name}: expected a model of images and texts, got one of texts")
    return model.encode_images(images)
