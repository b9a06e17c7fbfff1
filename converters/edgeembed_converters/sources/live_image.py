"""A live PyTorch module that takes images, like torchvision's models."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from edgeembed_converters.model_files.image_processors import OriginalPixels
from edgeembed_converters.model_files.torchvision_transforms import pixels_by, preprocess_of
from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.sources.base.encoders import ImageSource
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.text.live_text import state_sha256
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.bundle import Preprocess, Source
from edgeembed_runtime.errors import InputError, UnsupportedModelError


class Features(nn.Module):
    """Any vision network as a function from pixels to (n, c)."""

    def __init__(self, module: nn.Module, method: str = "forward") -> None:
        """Wrap `module`, whose `method` takes pixel values."""
        super().__init__()
        self.module = module
        self.method = method

    def forward(self, pixel_values: Tensor) -> Tensor:
        """The module's pooled, first or only output; feature maps are averaged."""
        output = cast(Callable[[Tensor], Any], getattr(self.module, self.method))(pixel_values)
        if not isinstance(output, Tensor):
            pooled = getattr(output, "pooler_output", None)
            output = output[0] if pooled is None else pooled
        return output.mean((2, 3)) if output.ndim == 4 else output


def preprocess_and_pixels(preprocess: Any) -> tuple[Preprocess, OriginalPixels | None]:
    """The declared preprocessing; a torchvision transform is also the original's own processor.

    Raises:
        InputError: nothing was declared.
        UnsupportedModelError: the transform cannot be described by a Preprocess.
    """
    if preprocess is None:
        raise InputError(
            "preprocess: expected a Preprocess or a torchvision transform for a live module, "
            "got None"
        )
    if isinstance(preprocess, Preprocess):
        return preprocess, None
    return preprocess_of(preprocess), pixels_by(preprocess)


def load_image_module(module: nn.Module, options: SourceOptions) -> ImageSource:
    """Take a live module from (n, 3, h, w) float32 to (n, c). Requires `options.preprocess`.

    Raises:
        InputError: `preprocess` is missing.
        UnsupportedModelError: the module cannot be run on images, or does not return vectors.
    """
    preprocess, original = preprocess_and_pixels(options.preprocess)
    backbone = Features(module).eval()
    try_backbone(backbone, preprocess)
    name = options.name or type(module).__name__
    return ImageSource(
        name=name,
        source=Source(id=name, weights_sha256=state_sha256(module)),
        backbone=backbone,
        model_type=type(module).__name__,
        preprocess=preprocess,
        pooling="",
        head=nn.Sequential(Normalize()) if options.normalize else nn.Sequential(),
        normalized=bool(options.normalize),
        original_pixels=original,
    )


def try_backbone(backbone: nn.Module, preprocess: Preprocess) -> Tensor:
    """Run a backbone on two images of noise.

    Raises:
        UnsupportedModelError: it fails, does not return (n, c), or is not deterministic.
    """
    pixels = torch.rand(2, 3, *preprocess.size, generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            output, repeated = backbone(pixels), backbone(pixels)
    except Exception as error:  # it is the user's code
        height, width = preprocess.size
        raise UnsupportedModelError(
            f"the model could not be run on images of {height}x{width} pixels: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != 2:
        found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise UnsupportedModelError(f"the model: expected an output of shape (n, c), got {found}")
    if not torch.equal(output, repeated):
        raise UnsupportedModelError(
            "the model returns a different vector each time for the same image (random masking?); "
            "convert an encoder that does not"
        )
    return output
