from __future__ import annotations

import pytest
import torch

from align.encoders.pooling import Pooling
from align.errors import InputError


def states(seed=0):
    hidden = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(seed))
    attention = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    special = torch.zeros(3, 5, dtype=torch.bool)
    special[:, 0] = True
    special[[0, 1, 2], [4, 2, 1]] = True  # the last row is <s></s>: nothing between
    special |= attention == 0
    return hidden, attention, special


@pytest.mark.parametrize("kind", ["mean", "weighted", "cls"])
@pytest.mark.parametrize("special_tokens", [True, False])
def test_matches_its_definition(kind, special_tokens):
    if kind == "cls" and not special_tokens:
        return
    hidden, attention, special = states()
    got = Pooling(kind=kind, special_tokens=special_tokens)(hidden, attention, special)
    for b in range(3):
        total, weight = torch.zeros(4), 0.0
        for t in range(5):
            counted = attention[b, t] == 1 and (special_tokens or not special[b, t])
            w = {"mean": 1.0, "weighted": t + 1.0, "cls": float(t == 0)}[kind] * float(counted)
            total, weight = total + w * hidden[b, t], weight + w
        expected = total / weight if weight else total
        assert torch.allclose(got[b], expected, atol=1e-6)


def test_by_hand():
    hidden = torch.tensor([[[9.0], [1.0], [4.0], [9.0]]])
    attention, special = torch.ones(1, 4, dtype=torch.long), torch.tensor([[True, False, False, True]])
    assert Pooling(special_tokens=False)(hidden, attention, special).item() == 2.5
    assert Pooling(kind="weighted", special_tokens=False)(hidden, attention, special).item() == pytest.approx(14 / 5)
    assert Pooling()(hidden, attention, special).item() == 23 / 4


def test_an_empty_text_without_special_tokens_is_zero():
    hidden, attention, special = states()
    assert Pooling(special_tokens=False)(hidden, attention, special)[2].tolist() == [0, 0, 0, 0]


def test_padding_never_counts():
    hidden, attention, special = states()
    changed = hidden.masked_fill(attention[..., None] == 0, 1e4)
    for kind in ("mean", "weighted", "cls"):
        assert torch.equal(
            Pooling(kind=kind)(hidden, attention, special), Pooling(kind=kind)(changed, attention, special)
        )


def test_gradients_reach_the_counted_tokens_only():
    hidden, attention, special = states()
    hidden.requires_grad_()
    Pooling(special_tokens=False)(hidden, attention, special).sum().backward()
    touched = hidden.grad.abs().sum(-1) > 0
    assert torch.equal(touched, attention.bool() & ~special)


def test_messages():
    with pytest.raises(InputError, match="unknown pooling 'max': expected one of mean, cls, weighted"):
        Pooling(kind="max")
    with pytest.raises(InputError, match="cls pooling reads a special token"):
        Pooling(kind="cls", special_tokens=False)
    with pytest.raises(InputError, match="layer must be 0 or more .*got -1"):
        Pooling(layer=-1)
