from __future__ import annotations

import math

import pytest
import torch

from align.objectives import angle, cosent, cosine_mse

OBJECTIVES = {"cosine_mse": cosine_mse, "cosent": cosent, "angle": angle}


def rows(n, seed, d=6):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def scores(n, seed=9):
    return torch.randint(0, 4, (n,), generator=torch.Generator().manual_seed(seed)).double() / 3


def cosines(source, target):
    return [float(a @ b) / float(a.norm() * b.norm()) for a, b in zip(source, target, strict=True)]


def ranked(similarity, score, temperature):
    total = 1.0
    for i, better in enumerate(score.tolist()):
        for j, worse in enumerate(score.tolist()):
            if better > worse:
                total += math.exp((similarity[j] - similarity[i]) / temperature)
    return math.log(total)


def angles(source, target):
    """Complex numbers, one component at a time."""
    found = []
    for a, b in zip(source.tolist(), target.tolist(), strict=True):
        half = len(a) // 2
        z, w = ([complex(x[k], x[k + half]) for k in range(half)] for x in (a, b))
        lengths = [math.sqrt(sum(abs(c) ** 2 for c in x)) for x in (z, w)]
        q = sum(p * r.conjugate() for p, r in zip(z, w, strict=True)) / lengths[0] / lengths[1]
        found.append(abs(q.real + q.imag))
    return found


@pytest.mark.parametrize("n", [1, 2, 9])
def test_definitions(n):
    source, target, score = rows(n, 0), rows(n, 1), scores(n)
    cos = cosines(source, target)
    expected = sum((c - s) ** 2 for c, s in zip(cos, score.tolist(), strict=True)) / n
    assert cosine_mse(source, target, score).item() == pytest.approx(expected, rel=1e-12)
    assert cosent(source, target, score, temperature=0.3).item() == pytest.approx(ranked(cos, score, 0.3), rel=1e-12)
    expected = ranked(angles(source, target), score, 2.0)
    assert angle(source, target, score, temperature=2.0).item() == pytest.approx(expected, rel=1e-12)


def test_they_equal_sentence_transformers():
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import losses

    model = SentenceTransformer(modules=[torch.nn.Identity()], device="cpu")
    source, target, score = rows(8, 0), rows(8, 1), scores(8)
    for ours, theirs in ((cosent, losses.CoSENTLoss(model)), (angle, losses.AnglELoss(model))):
        expected = theirs.compute_loss_from_embeddings([source, target], score)
        assert ours(source, target, score, temperature=1 / theirs.scale).item() == pytest.approx(expected.item())
    expected = losses.CosineSimilarityLoss(model).compute_loss_from_embeddings([source, target], score)
    assert cosine_mse(source, target, score).item() == pytest.approx(expected.item())


def test_numbers_by_hand():
    east, north = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert cosine_mse(east, north, torch.tensor([0.5])).item() == pytest.approx(0.25)
    # the pair at cosine 0 has the higher score: log(1 + e^(1 - 0))
    source, target = torch.cat([east, east]), torch.cat([north, east])
    value = cosent(source, target, torch.tensor([1.0, 0.0]), temperature=1.0)
    assert value.item() == pytest.approx(math.log(1 + math.e))
    # 1 conj(i) = -i: real plus imaginary part is -1, its size 1; 1 conj(1) = 1: nothing to choose, log 2
    value = angle(source, target, torch.tensor([1.0, 0.0]), temperature=1.0)
    assert value.item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_reach_both_sides(name):
    source, target = rows(4, 0).requires_grad_(), rows(4, 1).requires_grad_()
    score = torch.tensor([0.0, 0.3, 0.7, 1.0], dtype=torch.float64)
    options = {} if name == "cosine_mse" else {"temperature": 1.0}

    def run(a, b):
        return OBJECTIVES[name](a, b, score, **options)

    assert torch.autograd.gradcheck(run, (source, target))
    for grad in torch.autograd.grad(run(source, target), (source, target)):
        assert (grad.abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("objective", [cosent, angle])
def test_equal_scores_are_not_compared(objective):
    source, target = rows(3, 0).requires_grad_(), rows(3, 1)
    loss = objective(source, target, torch.ones(3))
    assert loss.item() == 0.0
    loss.backward()
    assert source.grad.abs().sum() == 0


@pytest.mark.parametrize("name", OBJECTIVES)
def test_messages(name):
    with pytest.raises(ValueError, match=rf"{name} needs .*, got \(2, 6\), \(2, 6\) and \(3,\)"):
        OBJECTIVES[name](rows(2, 0), rows(2, 1), scores(3))
    with pytest.raises(ValueError, match=rf"{name} needs .*B >= 1"):
        OBJECTIVES[name](rows(0, 0), rows(0, 1), scores(0))


def test_messages_of_their_own():
    with pytest.raises(ValueError, match="angle needs vectors of even width, got 5"):
        angle(rows(2, 0, d=5), rows(2, 1, d=5), scores(2))
    with pytest.raises(ValueError, match="needs a temperature > 0, got nan"):
        cosent(rows(2, 0), rows(2, 1), scores(2), temperature=float("nan"))
