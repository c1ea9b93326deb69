"""Contrasts by blocks: precision, memory and what a Function of one's own can get wrong."""

from __future__ import annotations

import math

import pytest
import torch
from allocations import Allocations

from align.objectives import info_nce, matryoshka, multiple_negatives, nt_xent, streaming

ONE_WAY = {"symmetric": False}


def pairs(n, d, *, noise=2.0, dtype=torch.float32, extra=0):
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(n, d, generator=generator)
    source, target = (shared + noise * torch.randn(n, d, generator=generator) for _ in range(2))
    target = torch.cat([target, torch.randn(extra, d, generator=generator)])
    return source.to(dtype).requires_grad_(), target.to(dtype).requires_grad_()


def with_gradients(objective, source, target, temperature=0.05, **options):
    source, target = (side.detach().clone().requires_grad_() for side in (source, target))
    temperature = torch.tensor(temperature, dtype=torch.float64, requires_grad=True)
    loss = objective(source, target, temperature=temperature, **options)
    loss.backward()
    return loss.detach(), source.grad, target.grad, temperature.grad


def error(got, expected):
    """Length of the difference to that of what is expected: the largest ratio among value and gradients."""
    both = [(g.double(), e.double()) for g, e in zip(got, expected, strict=True)]
    return max(((g - e).norm() / e.norm()).item() for g, e in both)


@pytest.mark.parametrize(("objective", "options"), [(info_nce, ONE_WAY), (info_nce, {}), (nt_xent, {})])
@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("block", [100, None])
def test_float32_is_within_1e_6_of_the_definition_in_float64(objective, options, repeated, block):
    source, target = pairs(700, 384)
    if repeated:
        options = {**options, "groups": torch.arange(700) % 600}
    expected = with_gradients(objective, source.double(), target.double(), block=0, **options)
    assert error(with_gradients(objective, source, target, block=block, **options), expected) < 1e-6


@pytest.mark.parametrize(("objective", "options"), [(info_nce, ONE_WAY), (info_nce, {}), (nt_xent, {})])
def test_a_solved_batch_keeps_its_small_gradient(objective, options):
    # Every pair wins by far: 1 - p is 1e-5, of which a subtraction in float32 would leave two digits.
    source, target = pairs(64, 384, noise=0.4)
    expected = with_gradients(objective, source.double(), target.double(), block=0, **options)
    assert 0 < expected[0] < 1e-4
    assert error(with_gradients(objective, source, target, **options), expected) < 1e-5


@pytest.mark.parametrize(("objective", "options"), [(info_nce, ONE_WAY), (info_nce, {}), (nt_xent, {})])
@pytest.mark.parametrize("temperature", [0.004, 30.0])
def test_extreme_similarities(objective, options, temperature):
    source, target = pairs(20, 6, dtype=torch.float64)
    for factor in (1, 30):
        expected = with_gradients(objective, source * factor, target, temperature, cosine=False, block=0, **options)
        got = with_gradients(objective, source * factor, target, temperature, cosine=False, block=7, **options)
        assert error(got, expected) < 1e-10


def test_parts_of_the_candidates(monkeypatch):
    monkeypatch.setattr(streaming, "TILE", 40)  # 8 rows of 5 numbers at once, 32 anchors
    source, target = pairs(50, 5, dtype=torch.float64, extra=9)
    groups = torch.arange(59) % 40
    for options in (ONE_WAY, {}, {"rows": slice(7, 20)}):
        expected = with_gradients(info_nce, source, target, groups=groups, block=0, **options)
        assert error(with_gradients(info_nce, source, target, groups=groups, **options), expected) < 1e-10
    zero = source.detach().clone()
    zero[3] = 0.0  # has no direction
    zero[4] *= 1e-13  # too short to have one
    expected, got = (with_gradients(info_nce, zero, target, 1.0, block=block) for block in (0, None))
    assert error(got, expected) < 1e-10


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("objective", "options"), [(info_nce, ONE_WAY), (info_nce, {}), (nt_xent, {})])
def test_half_precision_vectors_are_summed_in_float32(objective, options, dtype):
    source, target = pairs(90, 64, dtype=dtype)
    expected = with_gradients(objective, source.float(), target.float(), **options)
    loss, *gradients = with_gradients(objective, source, target, block=7, **options)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected[0].item(), rel=1e-6)
    assert [g.dtype for g in gradients] == [dtype, dtype, torch.float64]
    for got, whole in zip(gradients, expected[1:], strict=True):
        assert torch.allclose(got.float(), whole.to(got.dtype).float(), rtol=torch.finfo(dtype).eps, atol=1e-7)


def test_half_precision_gradients_are_scaled_before_they_are_rounded():
    source, target = (500 * side.detach() for side in pairs(64, 64, dtype=torch.float16))
    source.requires_grad_()
    (info_nce(source, target) * 2**16).backward()
    (expected,) = torch.autograd.grad(info_nce(whole := source.detach().float().requires_grad_(), target), whole)
    assert error([source.grad.float() / 2**16], [expected]) < 1e-3


@pytest.mark.parametrize("block", [0, 16, None])
@pytest.mark.parametrize("objective", [info_nce, nt_xent])
def test_autocast_changes_nothing(objective, block):
    source, target = pairs(40, 32)
    expected = objective(source, target, block=block)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = objective(source, target, block=block)
    assert got.dtype == torch.float32
    assert torch.equal(got, expected)
    gradients = (torch.autograd.grad(loss, (source, target)) for loss in (got, expected))
    assert error(*gradients) < 1e-6


@pytest.mark.parametrize("block", [0, 2, None])
@pytest.mark.parametrize(("objective", "options"), [(info_nce, ONE_WAY), (info_nce, {}), (nt_xent, {})])
@pytest.mark.parametrize("cosine", [True, False])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_a_broken_vector_breaks_the_loss(objective, options, cosine, bad, side, block):
    sides = [half.detach().clone() for half in pairs(5, 4)]
    sides[side][3, 1] = bad
    assert not objective(*sides, cosine=cosine, block=block, **options).isfinite()


def test_only_what_is_wanted():
    source, target = pairs(12, 4, dtype=torch.float64)
    warm = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    whole = torch.autograd.grad(info_nce(source, target, temperature=warm, block=5), (source, target, warm))
    for wanted in ((0,), (1,), (2,), (0, 2), (1, 2)):
        inputs = [x.detach().clone().requires_grad_(k in wanted) for k, x in enumerate((source, target, warm))]
        for options in ({}, {"rows": slice(0, 12)}):
            loss = info_nce(*inputs[:2], temperature=inputs[2], block=5, **options)
            some = torch.autograd.grad(loss, [inputs[k] for k in wanted])
            assert error(some, [whole[k] for k in wanted]) < 1e-12
    with torch.no_grad():
        loss = info_nce(source, target, temperature=warm)
    assert not loss.requires_grad
    assert loss.item() == pytest.approx(info_nce(source, target, temperature=0.1, block=0).item(), rel=1e-12)


def test_a_second_backward_and_a_weight():
    source, target = pairs(12, 4, dtype=torch.float64)
    loss = info_nce(source, target, block=5)
    first = torch.autograd.grad(3 * loss, (source, target), retain_graph=True)
    kept = [gradient.clone() for gradient in first]
    second = torch.autograd.grad(loss, (source, target))
    expected = torch.autograd.grad(info_nce(source, target, block=0), (source, target))
    assert error(second, expected) < 1e-10
    assert error(first, [3 * gradient for gradient in expected]) < 1e-10
    assert all(torch.equal(a, b) for a, b in zip(first, kept, strict=True))


def test_the_gradient_has_no_gradient():
    source, target = pairs(4, 4)
    weight = torch.ones((), requires_grad=True)
    (gradient,) = torch.autograd.grad(weight * info_nce(source, target), source, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_learned_temperature_of_one_number():
    source, target = pairs(6, 4, dtype=torch.float64)
    for block in (0, None):
        warm = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
        nt_xent(source, target, temperature=warm, block=block).backward()
        assert warm.grad.shape == (1,)


def test_prefixes_of_vectors():
    source, target = pairs(9, 8, dtype=torch.float64)
    expected, got = (
        torch.autograd.grad(
            matryoshka(lambda *v, b=block: multiple_negatives(*v, block=b), source, target, dimensions=[3, 8]),
            (source, target),
        )
        for block in (0, 4)
    )
    assert error(got, expected) < 1e-10


N, M, D = 200, 260, 64


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("options", [ONE_WAY, {}, {"rows": slice(20, 90)}])
@pytest.mark.parametrize("repeated", [False, True])
def test_no_tensor_is_larger_than_a_block(monkeypatch, options, repeated, dtype):
    monkeypatch.setattr(streaming, "TILE", 6400)  # parts of 100 candidates
    source, target = pairs(N, D, extra=M - N, dtype=dtype)
    groups = torch.arange(M) % 150 if repeated else None
    block = 10
    with Allocations(source, target) as made:
        (0.5 * info_nce(source, target, groups=groups, block=block, **options)).backward()
    assert made.largest == max(block * M, M * D)
    mutual = "rows" not in options and options.get("symmetric", True)
    gradients, tile, part, small = (N + M) * D, block * (M + N * mutual), 6400, 24 * N
    rounding = M * D / 2 if dtype == torch.bfloat16 else 0  # numbers of half the size
    bound = 4 * (gradients + small + max(tile + part, 2 * part, rounding)) + 2 * block * M * repeated
    assert gradients * source.element_size() < made.peak < bound
    with torch.no_grad(), Allocations(source, target) as idle:
        info_nce(source, target, groups=groups, block=block, **options)
    assert idle.peak < made.peak - 3 * gradients
    with Allocations(source, target) as plain:
        info_nce(source, target, groups=groups, block=0, **options).backward()
    assert plain.largest == (70 if "rows" in options else N) * M


def test_nt_xent_holds_no_matrix_either():
    source, target = pairs(N, D)
    with Allocations(source, target) as made:
        nt_xent(source, target, block=10).backward()
    assert made.largest == 2 * N * D  # both sides in one matrix


def test_the_block_chosen_by_size():
    source, target = pairs(300, 4)
    for tile, rows in ((300 * 50, 50), (100, streaming.FEWEST), (10**9, 300)):
        with pytest.MonkeyPatch.context() as patch, Allocations(source, target) as made:
            patch.setattr(streaming, "TILE", tile)
            info_nce(source, target)
        assert made.largest == rows * 300
