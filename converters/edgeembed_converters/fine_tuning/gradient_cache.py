"""Gradient caching: the gradient of a large batch in the memory of a small one.

Source: Gao et al., Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup (2021),
https://arxiv.org/abs/2101.06983.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

Chunk = TypeVar("Chunk")


def cached_loss(
    encode: Callable[[Chunk], Tensor],
    chunks: Sequence[Chunk],
    loss: Callable[[Tensor], Tensor],
) -> Tensor:
    """`loss(torch.cat([encode(chunk) for chunk in chunks]))`, with one chunk's graph at a time.

    `encode` runs twice on each chunk: once without a graph, for the loss and its gradient by
    vector; and when the result goes backward, with one, and the same random numbers.
    """
    states: list[list[Tensor]] = []
    parts: list[Tensor] = []
    with torch.no_grad():
        for chunk in chunks:
            states.append(_random_states())
            parts.append(encode(chunk))
    vectors = torch.cat(parts).requires_grad_()
    with torch.enable_grad():
        value = loss(vectors)
        (gradient,) = torch.autograd.grad(value, vectors)
    device = vectors.device.type
    low_precision = torch.is_autocast_enabled(device)

    def go_back(scale: Tensor) -> None:
        pieces = (gradient * scale).split([len(part) for part in parts])
        with _random_states_kept():
            for chunk, state, piece in zip(chunks, states, pieces, strict=True):
                _set_random_states(state)
                with (
                    torch.enable_grad(),
                    torch.autocast(device, torch.bfloat16, enabled=low_precision),
                ):
                    again = encode(chunk)
                torch.autograd.backward(again, piece)

    found = value.detach().requires_grad_()
    found.register_hook(go_back)
    return found


def _random_states() -> list[Tensor]:
    return [
        torch.get_rng_state(),
        *([torch.cuda.get_rng_state()] if torch.cuda.is_available() else []),
    ]


def _set_random_states(states: Sequence[Tensor]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state(states[1])


@contextmanager
def _random_states_kept() -> Generator[None]:
    before = _random_states()
    try:
        yield
    finally:
        _set_random_states(before)
