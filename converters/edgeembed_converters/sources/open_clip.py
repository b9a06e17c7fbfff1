"""A live open_clip model with its tokenizer: CLIP, SigLIP, MobileCLIP and the like."""

from importlib.metadata import version
from typing import Any, TypeGuard, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeembed_converters.modules.fixed_length import PaddedTo
from edgeembed_converters.modules.head import Normalize
from edgeembed_converters.sources.base.encoders import DualSource, ImageSource, TextSource
from edgeembed_converters.sources.base.options import SourceOptions
from edgeembed_converters.sources.base.witness import Witness
from edgeembed_converters.sources.live_image import Features, preprocess_and_pixels, try_backbone
from edgeembed_converters.sources.open_clip_tokenizer import LEFT_OUT, pad_id_of, tokenizer_of
from edgeembed_converters.sources.text.live_text import state_sha256
from edgeembed_converters.sources.timm import merged_branches
from edgeembed_converters.sources.transformers_clip import logit_numbers
from edgeembed_runtime.bundle import Source
from edgeembed_runtime.errors import InputError


class CausalText(nn.Module):
    """open_clip's text transformer for texts of any length.

    The model itself only takes texts padded to its full length. With causal attention and the
    vector of the end-of-text token, padding changes nothing and costs much.
    """

    def __init__(self, text: nn.Module, end_id: int | None) -> None:
        """Wrap a CLIP, or the `text` of a CustomTextCLIP; `end_id` None means the highest id."""
        super().__init__()
        self.text = text
        self.end_id = end_id

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(n, t) int64 ids and mask to (n, d)."""
        text = cast(Any, self.text)
        length = input_ids.shape[1]
        x = text.token_embedding(input_ids) + text.positional_embedding[:length]
        x = text.transformer(x, attn_mask=text.attn_mask[:length, :length])
        x = text.ln_final(x)
        # Whatever its id, padding must not be taken for the end-of-text token.
        ids = torch.where(attention_mask > 0, input_ids, -1).to(torch.int32)
        found = ids if self.end_id is None else (ids == self.end_id).to(torch.int32)
        pooled = x[torch.arange(x.shape[0], device=x.device), found.argmax(dim=-1)]
        projection = text.text_projection
        if projection is None:
            return pooled
        return projection(pooled) if isinstance(projection, nn.Linear) else pooled @ projection


class WholeText(nn.Module):
    """An open_clip text tower that reads the padding too."""

    def __init__(self, model: nn.Module) -> None:
        """Wrap the model."""
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(n, t) int64 ids of the full length to (n, d)."""
        del attention_mask
        return cast(Any, self.model).encode_text(input_ids)


def is_open_clip_model(module: object) -> TypeGuard[nn.Module]:
    """Whether `module` is a live open_clip model. Does not import open_clip."""
    from_it = any(kind.__module__.startswith("open_clip.") for kind in type(module).mro())
    return from_it and hasattr(module, "encode_text") and hasattr(module, "encode_image")


def load_open_clip(module: nn.Module, options: SourceOptions) -> DualSource:
    """Take a live open_clip model; `options.tokenizer` comes from `open_clip.get_tokenizer`.

    Its own settings define the preprocessing, unless `options.preprocess` does (which may be
    open_clip's transform). Branches of MobileCLIP are merged.

    Raises:
        InputError: the tokenizer is missing.
        UnsupportedModelError: the tokenizer or the transform has unsupported rules.
    """
    if options.tokenizer is None:
        raise InputError("tokenizer: expected open_clip.get_tokenizer(...) of the model, got None")
    module.eval()
    name = options.name or type(module).__name__
    source = Source(id=name, weights_sha256=state_sha256(module))
    return DualSource(
        text=_text(module, options, name, source),
        image=_image(module, options, name, source),
        **logit_numbers(module),
    )


def _text(module: nn.Module, options: SourceOptions, name: str, source: Source) -> TextSource:
    tokenizer: Any = options.tokenizer
    saved = tokenizer_of(tokenizer).to_str().encode()
    length = int(cast(Any, module).context_length)

    def encode(texts: list[str]) -> NDArray[np.float32]:
        ids = tokenizer(texts, context_length=length)
        with torch.no_grad():
            return cast(Any, module).encode_text(ids, normalize=True).float().numpy()

    return TextSource(
        name=name,
        source=source,
        backbone=_text_backbone(module, length, pad_id_of(tokenizer)).eval(),
        model_type=type(module).__name__,
        tokenizer_json=saved,
        max_tokens=min(options.max_tokens or length, length),
        pooling=(),
        head=nn.Sequential(Normalize()),
        normalized=True,
        witness=Witness(made_by=f"open_clip_torch {version('open_clip_torch')}", encode=encode)
        if options.max_tokens is None
        else None,
        prompts=dict(options.prompts or {}),
        notes=(LEFT_OUT,),
    )


def _text_backbone(module: nn.Module, length: int, pad_id: int) -> nn.Module:
    text: Any = getattr(module, "text", module)
    pooling = getattr(text, "pool_type", getattr(text, "text_pool_type", None))
    plain = (
        getattr(text, "attn_mask", None) is not None
        and getattr(text, "cls_emb", None) is None
        and hasattr(text, "token_embedding")
        and pooling in ("argmax", "eos")
    )
    if not plain:
        return PaddedTo(WholeText(module), length, pad_id)
    end_id = getattr(text, "eos_id", getattr(text, "text_eos_id", None))
    return CausalText(text, int(end_id) if pooling == "eos" and end_id is not None else None)


def _image(module: nn.Module, options: SourceOptions, name: str, source: Source) -> ImageSource:
    transform = options.preprocess
    if transform is None:
        transform = _own_transform(module)
    preprocess, original = preprocess_and_pixels(transform)
    backbone = Features(merged_branches(module), "encode_image").eval()
    try_backbone(backbone, preprocess)
    return ImageSource(
        name=name,
        source=source,
        backbone=backbone,
        model_type=type(module).__name__,
        preprocess=preprocess,
        pooling="",
        head=nn.Sequential(Normalize()),
        normalized=True,
        original_pixels=original,
    )


def _own_transform(module: nn.Module) -> Any:
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    settings = open_clip.get_model_preprocess_cfg(module)
    return image_transform_v2(PreprocessCfg(**settings), is_train=False)
