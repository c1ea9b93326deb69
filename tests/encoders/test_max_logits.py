from __future__ import annotations

import math

import pytest
import torch
from allocations import Allocations

from align.encoders.lexical import max_logits as module
from align.encoders.lexical.max_logits import max_logits

LENGTHS = [3, 0, 1, 4, 0]


def setup(terms=7, d=4, *, dtype=torch.float64, lengths=LENGTHS):
    generator = torch.Generator().manual_seed(0)
    shapes = ((sum(lengths), d), (terms, d), (terms,))
    return [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes]


def by_definition(states, weight, bias, lengths=LENGTHS):
    """All logits at once, text by text."""
    found, start = [], 0
    for length in lengths:
        logits = states[start : start + length] @ weight.T + (0 if bias is None else bias)
        found.append(logits.amax(0) if length else torch.full((len(weight),), -math.inf, dtype=states.dtype))
        start += length
    return torch.stack(found)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("block", [1, 3, 7, 100, None])
def test_values_and_gradients_are_those_of_the_definition(biased, block):
    states, weight, bias = setup()
    bias = bias if biased else None
    inputs = [tensor for tensor in (states, weight, bias) if tensor is not None]
    found, plain = max_logits(states, weight, bias, LENGTHS, block=block), by_definition(states, weight, bias)
    torch.testing.assert_close(found, plain)
    slopes = torch.randn(found.shape, generator=torch.Generator().manual_seed(1), dtype=found.dtype)
    slopes[[1, 4]] = 0  # -Inf has no slope
    made, expected = (torch.autograd.grad(one, inputs, slopes) for one in (found, plain))
    torch.testing.assert_close(made, expected)
    assert all(one.abs().sum() > 0 for one in made)


def test_a_number_by_hand():
    # two tokens, three terms: logits (1, 0, -2) and (0, 2, -1)
    states, weight = torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 2.0], [-2.0, -1.0]])
    assert max_logits(states, weight, torch.tensor([0.0, 0.5, 0.0]), [2]).tolist() == [[1.0, 2.5, -1.0]]
    assert max_logits(states, weight, None, [1, 1]).tolist() == [[1.0, 0.0, -2.0], [0.0, 2.0, -1.0]]


def test_only_what_wants_a_gradient_gets_one():
    states, weight, bias = setup()
    weight.requires_grad_(False)
    max_logits(states, weight, bias, LENGTHS)[[0, 2, 3]].sum().backward()
    assert weight.grad is None
    assert bias.grad.tolist() == [3.0] * 7
    torch.testing.assert_close(states.grad.sum(0), 3 * weight.sum(0))


@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_no_token_at_all(lengths):
    states, weight, bias = setup(lengths=lengths)
    found = max_logits(states, weight, bias, lengths)
    assert found.shape == (len(lengths), 7)
    assert (found == -math.inf).all()
    torch.where(found.isfinite(), found, 0.0).sum().backward()
    assert weight.grad.abs().sum() == 0


def test_bfloat16_rounds_the_product_alone():
    states, weight, bias = setup(40, 16, dtype=torch.float32)
    plain = by_definition(states, weight, bias)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = max_logits(states, weight, bias, LENGTHS, block=9)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, plain, rtol=0.05, atol=0.1)
    assert not torch.equal(found, plain)
    (slope,) = torch.autograd.grad(found[[0, 2, 3]].sum(), weight)
    assert slope.dtype == torch.float32 and slope.abs().sum() > 0


def test_the_logits_of_all_tokens_are_never_held(monkeypatch):
    monkeypatch.setattr(module, "TILE", 512)
    lengths = [32] * 8
    states, weight, bias = setup(1024, 4, lengths=lengths, dtype=torch.float32)
    with Allocations() as seen:
        max_logits(states, weight, bias, lengths).sum().backward()
    assert seen.largest <= 8 * 1024  # the (N, K) values and places, not the (T, K) logits: 256 x 1024


def test_shapes_that_do_not_fit():
    states, weight, bias = setup()
    with pytest.raises(ValueError, match=r"8 tokens, got \[\(7, 4\)"):
        max_logits(states[:-1], weight, bias, LENGTHS)
    with pytest.raises(ValueError, match="needs"):
        max_logits(states, weight[:, :2], bias, LENGTHS)
    with pytest.raises(ValueError, match="needs"):
        max_logits(states, weight, bias[:2], LENGTHS)
    with pytest.raises(ValueError, match="block of 1 term or more, got 0"):
        max_logits(states, weight, bias, LENGTHS, block=0)
