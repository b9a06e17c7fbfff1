"""BERT's own tasks beside another, by the model's own heads for them.

Predict masked tokens, and whether a text follows another.
Source: Devlin et al., BERT (2019), https://arxiv.org/abs/1810.04805.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from edgeembed_converters.fine_tuning.batches import ExampleBatch
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

# Half of BERT's second texts do not follow the first.
_NOT_NEXT = 0.5
_MASKED, _FOLLOWING = "masked tokens", "next sentences"


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


class NextSentences:
    """A model's pooler and head that tell whether a text follows another."""

    def __init__(self, source: TextSource, device: str) -> None:
        """Load both from the model's directory.

        Raises:
            InputError: the model has none, or its tokenizer joins texts in another way than BERT's.
        """
        backbone = source.backbone
        assert isinstance(backbone, TokenVectors)
        found = _loaded(source, "AutoModelForNextSentencePrediction", "next_sentence", _FOLLOWING)
        base = getattr(found, found.base_model_prefix)
        if not isinstance(getattr(base, "pooler", None), nn.Module) or not hasattr(found, "cls"):
            raise _no_head(source, "next_sentence", _FOLLOWING, f"{type(found).__name__} is none")
        tokenizer = Tokenizer.from_str(source.tokenizer_json.decode())
        if (tokenizer.num_special_tokens_to_add(False), found.config.type_vocab_size) != (2, 2):
            raise InputError(
                f"next_sentence: expected a tokenizer that puts one token before a text and one "
                f"behind it, and two types of tokens, as BERT has; {source.name} has others"
            )
        self.model, self.pooler, self.head = backbone.model, base.pooler, found.cls
        self.module = nn.ModuleList([self.pooler, self.head]).to(device)
        self.limit = int(found.config.max_position_embeddings)
        self.pad_id, self.device = pad_id_of(source), device

    def loss(self, batch: ExampleBatch) -> Tensor:
        """The cross-entropy of following or not, in nats.

        Half of the anchors, by chance, are followed by the positive of another example, if there
        is one that is not theirs too.
        """
        count = len(batch.anchors)
        others = (torch.arange(count) + 1) % count
        wrong = torch.rand(count) < _NOT_NEXT
        wrong &= (others != torch.arange(count)) & ~batch.excluded.cpu()[range(count), others]
        chosen = torch.where(wrong, others, torch.arange(count)).tolist()
        pairs = [
            joined_rows(anchor, batch.positives[place], self.limit)
            for anchor, place in zip(batch.anchors, chosen, strict=True)
        ]
        ids, mask = (
            each.to(self.device) for each in padded([row for row, _ in pairs], self.pad_id)
        )
        types, _ = padded([types for _, types in pairs], 0)
        hidden = self.model(
            input_ids=ids, attention_mask=mask, token_type_ids=types.to(self.device)
        ).last_hidden_state
        logits = self.head(self.pooler(hidden))
        return losses.next_sentence(logits, wrong.to(self.device))


def joined_rows(first: TokenRow, second: TokenRow, limit: int) -> tuple[TokenRow, TokenRow]:
    """Token ids and types of two texts in one row: [CLS] first [SEP] second [SEP].

    It has at most `limit` tokens; of the longer text, more is cut off.
    """
    room = limit - 3
    ends = first[-1:]
    a, b = first[1:-1], second[1:-1]
    a = a[: max(room - len(b), room // 2)]
    b = b[: room - len(a)]
    ids = np.concatenate([first[:1], a, ends, b, ends])
    return ids, np.repeat(np.array([0, 1], np.int32), [len(a) + 2, len(b) + 1])


def _with_head(source: TextSource) -> Any:
    backbone = source.backbone
    assert isinstance(backbone, TokenVectors)
    module = _loaded(source, "AutoModelForMaskedLM", "masked_tokens", _MASKED)
    setattr(module, module.base_model_prefix, backbone.model)
    module.tie_weights()
    return module


def _loaded(source: TextSource, kind: str, option: str, what: str) -> Any:
    """The model of a directory with one of its heads, all of whose weights are there."""
    import transformers

    assert source.directory is not None
    try:
        with heard_warnings():
            module, info = getattr(transformers, kind).from_pretrained(
                source.directory,
                attn_implementation="eager",
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
            )
    except Exception as error:  # whatever transformers raises
        raise _no_head(source, option, what, first_line(error)) from error
    if missing := sorted(info["missing_keys"]):
        raise _no_head(source, option, what, f"{missing[0]} is not in its files")
    name: str = module.base_model_prefix
    if not isinstance(getattr(module, name, None), nn.Module):
        raise _no_head(source, option, what, f"{type(module).__name__} has no part {name!r}")
    return module


def _no_head(source: TextSource, option: str, what: str, reason: str) -> InputError:
    return InputError(
        f"{option}: expected a model with a head for {what}; {source.name} has none: {reason}"
    )
