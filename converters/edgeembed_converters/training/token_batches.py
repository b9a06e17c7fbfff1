"""Token ids of texts as padded batches, what masks them, and a network's vectors of many texts."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from edgeembed_converters.sources.base.encoders import TextSource
from edgeembed_runtime.errors import InputError

TokenRow = NDArray[np.int32]
_MASK_TOKENS = ("[MASK]", "<mask>")
_EVALUATION_BATCH = 64


def padded(rows: Sequence[TokenRow], pad_id: int) -> tuple[Tensor, Tensor]:
    """Ids and mask, (n, t) int64 each, right-padded to the longest row."""
    ids = torch.full((len(rows), max(map(len, rows))), pad_id, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.from_numpy(row.astype(np.int64))
        mask[number, : len(row)] = 1
    return ids, mask


def pad_id_of(source: TextSource) -> int:
    """The id that a model pads with."""
    config = getattr(getattr(source.backbone, "model", None), "config", None)
    return int(getattr(config, "pad_token_id", None) or 0)


def mask_token_of(source: TextSource, option: str) -> tuple[int, tuple[int, ...]]:
    """The id that masks a token, and the ids of special tokens, which are never masked.

    `option` is what asked for it, for messages.

    Raises:
        InputError: the tokenizer has no mask.
    """
    tokenizer = Tokenizer.from_str(source.tokenizer_json.decode())
    ids = [found for each in _MASK_TOKENS if (found := tokenizer.token_to_id(each)) is not None]
    if not ids:
        raise InputError(
            f"{option}: expected a tokenizer with {' or '.join(_MASK_TOKENS)}, "
            f"{source.name}'s has none"
        )
    special = [n for n, token in tokenizer.get_added_tokens_decoder().items() if token.special]
    return ids[0], tuple(special)


@torch.no_grad()
def encode_rows(encoder: nn.Module, rows: Sequence[TokenRow], pad_id: int, device: str) -> Tensor:
    """An encoder's vectors of texts, in order: (n, d) float32 on the CPU."""
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    found: Tensor | None = None
    for start in range(0, len(order), _EVALUATION_BATCH):
        places = order[start : start + _EVALUATION_BATCH]
        ids, mask = padded([rows[place] for place in places], pad_id)
        vectors = encoder(ids.to(device), mask.to(device))[0].float().cpu()
        found = torch.empty(len(order), vectors.shape[1]) if found is None else found
        found[places] = vectors
    assert found is not None
    return found
