from __future__ import annotations

import pytest
import torch

from align.objectives.distillation.feature_distil import OBJECTIVE, Adapters, FeatureDistilOptions, feature_distil
from align.objectives.distillation.feature_distil import Features as Read
from align.objectives.inputs import Inputs
from align.objectives.objective import Sizes


def states(seed, k=3, p=5, d=4):
    return 2 * torch.randn(k, p, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_it_is_its_definition(beta):
    s, t = states(1), states(2)
    total = 0.0
    for error in (s - t).flatten().tolist():
        total += error**2 / (2 * beta) if abs(error) <= beta else abs(error) - beta / 2
    assert feature_distil(s, t, beta=beta).item() == pytest.approx(total / 60, rel=1e-12)


def test_by_hand():
    zero = torch.zeros(1, 1, 2)
    assert feature_distil(torch.tensor([[[0.5, 3.0]]]), zero).item() == (0.125 + 2.5) / 2


def test_only_the_student_learns():
    s, t = (states(seed).requires_grad_() for seed in (1, 2))
    assert torch.autograd.gradcheck(feature_distil, (s, t.detach()))
    feature_distil(s, t).backward()
    assert t.grad is None and s.grad.abs().min() > 0


def test_adapters_begin_as_the_identity_and_are_one_a_layer():
    adapters = Adapters(3, 4, 4).double()
    assert torch.equal(adapters(states(1)), states(1))
    with torch.no_grad():
        adapters.maps[1].weight.mul_(2.0)
        adapters.maps[2].bias.add_(1.0)
    s = states(1)
    torch.testing.assert_close(adapters(s), torch.stack([s[0], 2 * s[1], s[2] + 1]))
    wider = Adapters(3, 4, 6).double()
    assert wider(s).shape == (3, 5, 6) and sum(p.numel() for p in wider.parameters()) == 3 * (4 * 6 + 6)
    assert torch.autograd.gradcheck(wider, (states(3, p=1).requires_grad_(),))


@pytest.mark.parametrize(
    ("adapter", "widths", "learned"), [(False, (4, 4), False), (True, (4, 4), True), (False, (4, 6), True)]
)
def test_what_is_learned(adapter, widths, learned):
    options = FeatureDistilOptions(adapter=adapter, beta=0.7)
    made = OBJECTIVE.learned(options, Sizes(9, features=(3, *widths)))
    assert (made is not None) is learned and OBJECTIVE.learned(options, Sizes(9)) is None
    s, t = states(1), states(2, d=widths[1])
    made = made and made.double()
    value = OBJECTIVE.formula(Inputs({"features": Read(s, t)}), options, made)
    assert value.item() == pytest.approx(feature_distil(made(s) if made else s, t, beta=0.7).item())


def test_messages():
    with pytest.raises(ValueError, match=r"two \(K, P, D\) tensors of one shape, .* got \(3, 5, 4\), \(3, 5, 6\)"):
        feature_distil(states(1), states(2, d=6))
    with pytest.raises(ValueError, match="K and P >= 1"):
        feature_distil(states(1, p=0), states(1, p=0))
    with pytest.raises(ValueError, match="beta > 0, got nan"):
        feature_distil(states(1), states(2), beta=float("nan"))
