from __future__ import annotations

import gc

import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from toy import quiet

from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling
from align.training.gradient_caching import encode_batch

TEXTS = ["abc", "hello there", "a", "word", "zebra", "abcde", "xyzxyzxyz", "b"]


def encoder_of(**pooling):
    return Encoder(tiny_bert(), tiny_tokenizer(), Pooling(**pooling))


def inputs(encoder):
    rows = encoder.tokenize(TEXTS)
    ids, attention = encoder.pad(rows)
    masked = (torch.rand(ids.shape, generator=torch.Generator().manual_seed(0)) < 0.4) & attention.bool()
    return {"ids": ids, "attention": attention, "lengths": [len(row) for row in rows], "masked": masked}


def losses(encoder, micro_tokens, **changes):
    """The vectors, the masked states, and the gradients of a function that mixes all of them."""
    encoded = encode_batch(encoder, **inputs(encoder) | changes, micro_tokens=micro_tokens)
    similarity = encoded.vectors @ encoded.vectors.T
    places = torch.arange(len(encoded.states)).float()[:, None]  # a state in the wrong place shows
    (similarity.logsumexp(1).sum() + (encoded.states * places).pow(2).sum()).backward()
    return encoded, {n: p.grad for n, p in encoder.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("attention", ["auto", "padded"])
@pytest.mark.parametrize("layer", [None, 1])
@pytest.mark.parametrize("micro_tokens", [1, 14, 30, 10**6])
def test_micro_batches_have_the_vectors_and_gradients_of_the_whole(attention, layer, micro_tokens):
    made = []
    for tokens in (0, micro_tokens):
        encoder = quiet(encoder_of(layer=layer)).double().train()
        encoder.attention = attention
        made.append(losses(encoder, tokens))
    (whole, gradients), (parts, found) = made
    assert torch.allclose(parts.vectors, whole.vectors, atol=1e-12)
    assert torch.allclose(parts.states, whole.states, atol=1e-12)
    assert len(whole.states) == int(inputs(encoder)["masked"].sum()) > 5
    assert found.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert torch.allclose(found[name], gradient, rtol=1e-8, atol=1e-10), name


def test_without_a_mask_no_states_are_read():
    encoder = quiet(encoder_of())
    encoded = encode_batch(encoder, **inputs(encoder) | {"masked": None}, micro_tokens=14)
    assert encoded.states.shape[0] == 0
    assert encoded.vectors.shape == (len(TEXTS), 16)


def test_the_second_pass_drops_what_the_first_one_dropped():
    """With dropout the gradient fits the vectors: a small step against it moves them as it says."""
    encoder = encoder_of().double().train()
    given = inputs(encoder)
    torch.manual_seed(3)
    encoded = encode_batch(encoder, **given, micro_tokens=14)
    again = encode_batch(encoder, **given, micro_tokens=14)
    assert not torch.allclose(encoded.vectors, again.vectors)  # dropout is on
    torch.manual_seed(7)  # between the passes other things draw numbers, too
    torch.rand(99)
    weight = encoder.model.bert.encoder.layer[0].output.dense.weight
    encoded.vectors.pow(2).sum().backward()
    step = 1e-6
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight[0, 0] += sign * step
        torch.manual_seed(3)
        values.append(encode_batch(encoder, **given, micro_tokens=14).vectors.pow(2).sum().item())
        with torch.no_grad():
            weight[0, 0] -= sign * step
    assert weight.grad[0, 0].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)


def test_types_and_positions_go_with_their_rows():
    made = []
    for tokens in (0, 14):
        encoder = quiet(encoder_of())
        ids = inputs(encoder)["ids"]
        positions = torch.arange(ids.shape[1]).flip(0).expand_as(ids)
        made.append(losses(encoder, tokens, positions=positions, types=torch.zeros_like(ids))[0].vectors)
    assert torch.allclose(*made, atol=1e-5)
    plain = losses(quiet(encoder_of()), 14)[0].vectors
    assert not torch.allclose(plain, made[0], atol=1e-2)


def test_activations_of_one_micro_batch_are_held_at_a_time():
    """What autograd keeps after the forward pass: counted, not timed."""

    def kept(micro_tokens):
        encoder = encoder_of().train()
        given = inputs(encoder)
        many = {k: torch.cat([v] * 20) for k, v in given.items() if isinstance(v, torch.Tensor)}
        lengths = given["lengths"] * 20
        sizes = 0

        def count(tensor):
            nonlocal sizes
            sizes += tensor.numel() if tensor.dim() == 3 or tensor.dim() == 4 else 0
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            encode_batch(encoder, **many | {"lengths": lengths, "masked": None}, micro_tokens=micro_tokens)
        gc.collect()
        return sizes

    assert kept(64) < kept(0) / 20
