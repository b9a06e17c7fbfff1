"""Two live modules that share a vector space."""

from dataclasses import dataclass, replace

from torch import nn

from edgeembed_converters.sources.base.encoders import DualSource
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.live_image import load_image_module
from edgeembed_converters.sources.text.live_text import load_module
from edgeembed_runtime import storage
from edgeembed_runtime._internal.public import public


@public
@dataclass(frozen=True, kw_only=True)
class ModulePair:
    """A text and an image encoder, whose vectors are compared by cosine.

    `text` takes (n, t) int64 input_ids and attention_mask, `image` (n, 3, h, w) float32; both
    return (n, d), or token vectors to be pooled. A logit is `logit_scale` (not its logarithm) times
    the cosine plus `logit_bias`.
    """

    text: nn.Module
    image: nn.Module
    logit_scale: float | None = None
    logit_bias: float | None = None


def load_pair(pair: ModulePair, options: SourceOptions) -> DualSource:
    """Take two live modules; both are normalized unless `options.normalize` is False.

    Raises:
        InputError: something that only the caller knows is missing.
        UnsupportedModelError: a module cannot be run.
    """
    options = replace(options, normalize=options.normalize is not False)
    text = load_module(pair.text, options)
    image = load_image_module(pair.image, options)
    both = f"{text.source.weights_sha256} {image.source.weights_sha256}".encode()
    source = replace(image.source, weights_sha256=storage.sha256_of(both))
    return DualSource(
        text=replace(text, name=image.name, source=source),
        image=replace(image, source=source),
        logit_scale=pair.logit_scale,
        logit_bias=pair.logit_bias,
    )
