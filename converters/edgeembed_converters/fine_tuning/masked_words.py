"""BERT's own task beside another: predict masked tokens by the model's own head for it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_converters.sources.text.opened_model import heard_warnings
from edgeembed_converters.sources.text.transformers_text import TokenVectors
from edgeembed_converters.training import losses
from edgeembed_converters.training.token_batches import (
    TokenRow,
    mask_token_of,
    pad_id_of,
    padded,
)
from edgeembed_runtime._internal.messages import first_line
from edgeembed_runtime.errors import InputError


class MaskedWords:
    """A model with its head for masked tokens, around the backbone that is trained."""

    def __init__(self, source: TextSource, device: str) -> None:
        """Load the head from the model's directory.

        Raises:
            InputError: the model has none, or its tokenizer no mask.
        """
        self.mask_id, special = mask_token_of(source, "masked_tokens")
        self.pad_id, self.device = pad_id_of(source), device
        self.module = _with_head(source).to(device)
        self.special = torch.tensor(special, device=device)

    def loss(self, rows: Sequence[TokenRow]) -> Tensor:
        """The cross-entropy of masked tokens of texts, in nats."""
        ids, mask = (each.to(self.device) for each in padded(rows, self.pad_id))
        maskable = mask.bool() & ~torch.isin(ids, self.special)
        size = int(self.module.config.vocab_size)
        hidden, labels = losses.mask_tokens(ids, maskable, mask_id=self.mask_id, vocabulary=size)
        return losses.masked_token(
            self.module(input_ids=hidden, attention_mask=mask).logits, labels
        )


def _with_head(source: TextSource) -> Any:
    from transformers import AutoModelForMaskedLM

    backbone = source.backbone
    assert isinstance(backbone, TokenVectors) and source.directory is not None
    try:
        with heard_warnings():
            module, info = AutoModelForMaskedLM.from_pretrained(
                source.directory,
                attn_implementation="eager",
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
            )
    except Exception as error:  # whatever transformers raises
        raise _no_head(source, first_line(error)) from error
    if missing := sorted(info["missing_keys"]):
        raise _no_head(source, f"{missing[0]} is not in its files")
    name: str = module.base_model_prefix
    if not isinstance(getattr(module, name, None), nn.Module):
        raise _no_head(source, f"{type(module).__name__} has no part {name!r}")
    setattr(module, name, backbone.model)
    module.tie_weights()
    return module


def _no_head(source: TextSource, reason: str) -> InputError:
    return InputError(
        f"masked_tokens: expected a model with a head for masked tokens; {source.name} has none: "
        f"{reason}"
    )
