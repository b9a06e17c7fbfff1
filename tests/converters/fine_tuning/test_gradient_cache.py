"""Gradient caching: the gradients of one large batch, chunk by chunk."""

import pytest
import torch
from torch import nn

from edgeembed_converters.fine_tuning.gradient_cache import cached_loss
from edgeembed_converters.training import losses


def network(dropout):
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 8))


def contrast(vectors):
    return losses.info_nce(*vectors.chunk(2))


def gradients(module):
    return {name: each.grad.clone() for name, each in module.named_parameters()}


@pytest.fixture
def inputs():
    return torch.randn(40, 6, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("size", [1, 7, 20, 64])
def test_gradients_are_those_of_the_whole_batch(inputs, size):
    whole, cached = network(0.0).double(), network(0.0).double()
    expected = contrast(whole(inputs.double()))
    (3 * expected).backward()
    found = cached_loss(cached, inputs.double().split(size), contrast)
    (3 * found).backward()
    assert found.item() == pytest.approx(expected.item())
    wanted, got = gradients(whole), gradients(cached)
    assert wanted.keys() == got.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(got[name], gradient)
        assert gradient.abs().max() > 0


def test_dropout_draws_the_same_numbers_both_times(inputs):
    seen, module = [], network(0.5)

    def encode(chunk):
        seen.append(module(chunk))
        return seen[-1]

    torch.manual_seed(5)
    cached_loss(encode, inputs.split(10), contrast).backward()
    first, second = torch.cat(seen[:4]), torch.cat(seen[4:])
    assert torch.equal(first, second)
    assert not torch.equal(first, torch.cat([module(chunk) for chunk in inputs.split(10)]))


def test_what_comes_after_draws_other_numbers_whatever_goes_backward(inputs):
    module, drawn = network(0.5), []
    for goes_back in (False, True):
        torch.manual_seed(5)
        loss = cached_loss(module, inputs.split(10), contrast)
        if goes_back:
            loss.backward()
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)
    torch.manual_seed(5)
    assert not torch.equal(drawn[0], torch.rand(3))


def test_only_one_chunk_is_in_the_graph_at_once(inputs):
    sizes, module = [], network(0.0)

    def encode(chunk):
        sizes.append((len(chunk), torch.is_grad_enabled()))
        return module(chunk)

    cached_loss(encode, inputs.split(16), contrast).backward()
    assert sizes == [(16, False), (16, False), (8, False), (16, True), (16, True), (8, True)]
