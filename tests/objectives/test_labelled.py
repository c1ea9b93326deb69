from __future__ import annotations

import math

import pytest
import torch

from align.objectives import label_nt_xent, matryoshka, multi_similarity, supcon

OBJECTIVES = {"label_nt_xent": label_nt_xent, "supcon": supcon, "multi_similarity": multi_similarity}
LABELS = {
    "pairs": [0, 1, 2, 3, 0, 1, 2, 3],
    "repeats": [0, 1, 0, 2, 1, 0, 5, 1, 2],  # three, three, two and one
    "one label": [4, 4, 4],
    "no pair": [3, 1, 2],
    "two rows": [7, 7],
    "one row": [7],
}


def rows(n, seed=0, d=5):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def similarity(vectors, a, b, cosine=True):
    dot = sum(float(x) * float(y) for x, y in zip(vectors[a], vectors[b], strict=True))
    return dot / (float(vectors[a].norm()) * float(vectors[b].norm())) if cosine else dot


def partners(labels, a):
    return [p for p in range(len(labels)) if p != a and labels[p] == labels[a]]


def others(labels, a):
    return [n for n in range(len(labels)) if labels[n] != labels[a]]


def label_nt_xent_by_definition(vectors, labels, *, temperature=0.07, cosine=True):
    losses = []
    for a in range(len(labels)):
        for p in partners(labels, a):
            gold = math.exp(similarity(vectors, a, p, cosine) / temperature)
            wrong = sum(math.exp(similarity(vectors, a, n, cosine) / temperature) for n in others(labels, a))
            losses.append(-math.log(gold / (gold + wrong)))
    return sum(losses) / len(losses) if losses else 0.0


def supcon_by_definition(vectors, labels, *, temperature=0.07, cosine=True):
    losses = []
    for a in range(len(labels)):
        rest = [math.exp(similarity(vectors, a, j, cosine) / temperature) for j in range(len(labels)) if j != a]
        found = [similarity(vectors, a, p, cosine) / temperature - math.log(sum(rest)) for p in partners(labels, a)]
        if found:
            losses.append(-sum(found) / len(found))
    return sum(losses) / len(losses) if losses else 0.0


def distance(vectors, a, b):
    one, two = (vectors[i] / vectors[i].norm() for i in (a, b))
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(one, two, strict=True)))


def in_a_hard_triplet(vectors, labels, margin, miner):
    """The (anchor, row) pairs of every hard triplet, one triplet at a time."""
    kept = set()
    for a in range(len(labels)):
        for p in partners(labels, a):
            for n in others(labels, a):
                if miner == "triplet":
                    nearer = distance(vectors, a, n) - distance(vectors, a, p)
                else:
                    nearer = similarity(vectors, a, p) - similarity(vectors, a, n)
                if nearer <= margin:
                    kept |= {(a, p), (a, n)}
    return kept


def mined_as_in_the_paper(vectors, labels, epsilon):
    """Equations 7 and 8 of Wang et al.: the (anchor, row) pairs that are kept."""
    kept = set()
    for a in range(len(labels)):
        near = [similarity(vectors, a, p) for p in partners(labels, a)]
        far = [similarity(vectors, a, n) for n in others(labels, a)]
        if near and far:
            kept |= {(a, n) for n in others(labels, a) if similarity(vectors, a, n) > min(near) - epsilon}
            kept |= {(a, p) for p in partners(labels, a) if similarity(vectors, a, p) < max(far) + epsilon}
    return kept


def multi_similarity_by_definition(vectors, labels, *, alpha=1.0, beta=60.0, base=0.5, margin=0.2, miner="triplet"):
    kept, total = in_a_hard_triplet(vectors, labels, margin, miner), 0.0
    for a in range(len(labels)):
        near = [similarity(vectors, a, p) - base for p in partners(labels, a) if (a, p) in kept]
        far = [similarity(vectors, a, n) - base for n in others(labels, a) if (a, n) in kept]
        total += math.log(1 + sum(math.exp(-alpha * x) for x in near)) / alpha
        total += math.log(1 + sum(math.exp(beta * x) for x in far)) / beta
    return total / len(labels)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("cosine", [True, False])
def test_label_nt_xent_and_supcon_match_their_definitions(name, cosine):
    labels = LABELS[name]
    vectors = rows(len(labels))
    options = {"temperature": 0.3, "cosine": cosine}
    expected = label_nt_xent_by_definition(vectors, labels, **options)
    assert label_nt_xent(vectors, torch.tensor(labels), **options).item() == pytest.approx(expected, rel=1e-9)
    expected = supcon_by_definition(vectors, labels, **options)
    assert supcon(vectors, torch.tensor(labels), **options).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("miner", ["triplet", "multi_similarity"])
@pytest.mark.parametrize("options", [{}, {"alpha": 2.0, "beta": 5.0, "base": 0.1, "margin": 0.0}, {"margin": 2.0}])
def test_multi_similarity_matches_its_definition(name, options, miner):
    labels, options = LABELS[name], options | {"miner": miner}
    vectors = rows(len(labels), seed=3)
    expected = multi_similarity_by_definition(vectors, labels, **options)
    assert multi_similarity(vectors, torch.tensor(labels), **options).item() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.4])
def test_the_miner_of_the_paper_keeps_pairs_of_hard_triplets(epsilon):
    labels, sizes = LABELS["repeats"], set()
    for seed in range(5):
        vectors = rows(9, seed, d=3)
        kept = mined_as_in_the_paper(vectors, labels, epsilon)
        assert in_a_hard_triplet(vectors, labels, epsilon, "multi_similarity") == kept
        assert in_a_hard_triplet(vectors, labels, epsilon + 0.3, "triplet") != kept
        sizes.add(len(kept))
    assert len(sizes) > 1  # neither all nor none


def test_numbers_by_hand():
    # Two concepts on two axes: the partner at cosine 1, two others at 0, temperature 1/2.
    vectors = torch.eye(2, dtype=torch.float64).repeat(2, 1)
    labels = torch.tensor([0, 1, 0, 1])
    expected = math.log(1 + 2 * math.exp(-2))  # -log(e^2 / (e^2 + 2)) = 0.239545
    assert expected == pytest.approx(0.239545, abs=1e-6)
    assert label_nt_xent(vectors, labels, temperature=0.5).item() == pytest.approx(expected)
    assert supcon(vectors, labels, temperature=0.5).item() == pytest.approx(expected)
    # A third word of the first concept on its axis changes nothing for its own partners here, and is a third other for
    # the second concept: anchors of concept 0 have 2 others each (6 pairs), those of concept 1 have 3 (2 pairs).
    vectors, labels = torch.cat([vectors, vectors[:1]]), torch.tensor([0, 1, 0, 1, 0])
    mean = (6 * math.log(1 + 2 * math.exp(-2)) + 2 * math.log(1 + 3 * math.exp(-2))) / 8
    assert label_nt_xent(vectors, labels, temperature=0.5).item() == pytest.approx(mean)
    # SupCon: the other partner stands in the denominator, and each of the five anchors weighs the same.
    mean = (3 * math.log(2 + 2 * math.exp(-2)) + 2 * math.log(1 + 3 * math.exp(-2))) / 5
    assert supcon(vectors, labels, temperature=0.5).item() == pytest.approx(mean)
    # Multi-Similarity: positives are nearer by a cosine of 1, a distance of sqrt 2: only such a margin keeps them.
    vectors, labels = vectors[:4], labels[:4]
    kept = math.log(1 + math.exp(-0.5)) + math.log(1 + 2 * math.exp(-30)) / 60
    for miner, margin in (("multi_similarity", 1.0), ("triplet", math.sqrt(2))):
        assert multi_similarity(vectors, labels, margin=margin - 1e-6, miner=miner).item() == 0.0
        value = multi_similarity(vectors, labels, margin=margin + 1e-6, miner=miner).item()
        assert value == pytest.approx(kept, rel=1e-12)


def test_equal_similarities_cost_the_log_of_the_candidates():
    same, labels = torch.ones(8, 3), torch.tensor([0, 1, 2, 3] * 2)
    assert label_nt_xent(same, labels).item() == pytest.approx(math.log(7))
    assert supcon(same, labels).item() == pytest.approx(math.log(7))


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("labels", [LABELS["repeats"], LABELS["one label"]])
def test_gradients(name, labels):
    vectors = rows(len(labels), seed=1).requires_grad_()
    options = {"alpha": 2.0, "beta": 5.0, "margin": 1.3} if name == "multi_similarity" else {"temperature": 0.4}

    def run(v):
        return OBJECTIVES[name](v, torch.tensor(labels), **options)

    assert torch.autograd.gradcheck(run, (vectors,))
    (gradient,) = torch.autograd.grad(run(vectors), vectors)
    if len(set(labels)) > 1:
        assert (gradient.abs().sum(dim=1) > 0).all()  # the word of a concept of its own is somebody's negative


@pytest.mark.parametrize("objective", [label_nt_xent, supcon])
def test_the_temperature_can_be_learned(objective):
    temperature = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor(LABELS["repeats"])
    assert torch.autograd.gradcheck(lambda t: objective(rows(9), labels, temperature=t), (temperature,))
    (gradient,) = torch.autograd.grad(objective(rows(9), labels, temperature=temperature), temperature)
    assert gradient.abs() > 0


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("labels", ["no pair", "one row"])
def test_without_a_positive_there_is_nothing_to_learn(name, labels):
    vectors = rows(len(LABELS[labels])).requires_grad_()
    loss = OBJECTIVES[name](vectors, torch.tensor(LABELS[labels]))
    assert loss.item() == 0.0
    loss.backward()
    assert vectors.grad.tolist() == torch.zeros_like(vectors).tolist()


def test_without_a_negative_there_is_nothing_to_learn_either():
    for objective in (label_nt_xent, multi_similarity):
        vectors = rows(3).requires_grad_()
        loss = objective(vectors, torch.zeros(3))
        loss.backward()
        assert (loss.item(), vectors.grad.abs().sum().item()) == (0.0, 0.0)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_mean_over_shards_of_anchors_is_the_whole(name):
    labels = torch.tensor([0, 1, 0, 2, 1, 0, 5, 1, 8])  # anchors with a positive: 3, 2 and 1
    whole, parts = rows(9).requires_grad_(), rows(9).requires_grad_()
    expected = OBJECTIVES[name](whole, labels)
    shards = [OBJECTIVES[name](parts, labels, rows=slice(i, i + 3)) for i in (0, 3, 6)]
    assert len({round(shard.item(), 6) for shard in shards}) == 3
    assert torch.stack(shards).mean().item() == pytest.approx(expected.item(), rel=1e-12)
    expected.backward()
    torch.stack(shards).mean().backward()
    assert torch.allclose(parts.grad, whole.grad, rtol=1e-10)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_shard_without_positives_is_part_of_the_mean(name):
    labels = torch.tensor([0, 0, 1, 2])
    vectors = rows(4).requires_grad_()
    first, second = (OBJECTIVES[name](vectors, labels, rows=part) for part in (slice(0, 2), slice(2, 4)))
    assert second.item() == 0.0
    assert first.item() / 2 == pytest.approx(OBJECTIVES[name](vectors, labels).item(), rel=1e-12)
    second.backward()
    assert vectors.grad.abs().sum().item() == 0.0


@pytest.mark.parametrize("name", OBJECTIVES)
def test_half_precision_is_summed_in_float32(name):
    vectors, labels = rows(9).bfloat16(), torch.tensor(LABELS["repeats"])
    exact = OBJECTIVES[name](vectors.double(), labels).item()
    loss = OBJECTIVES[name](vectors, labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact, rel=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):  # would round the cosines, and 0.07 divides their error
        loss = OBJECTIVES[name](vectors.float(), labels)
    assert loss.item() == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("objective", [label_nt_xent, supcon])
def test_large_logits_do_not_overflow(objective):
    vectors = (rows(9) * 100).requires_grad_()
    loss = objective(vectors, torch.tensor(LABELS["repeats"]), temperature=0.01, cosine=False)
    loss.backward()
    assert math.isfinite(loss.item())
    assert bool(torch.isfinite(vectors.grad).all())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_equal_vectors_and_zero_vectors_have_finite_gradients(name):
    for vectors in (torch.ones(4, 3), torch.zeros(4, 3)):
        vectors.requires_grad_()
        loss = OBJECTIVES[name](vectors, torch.tensor([0, 1, 0, 1]))
        loss.backward()
        assert math.isfinite(loss.item())
        assert bool(torch.isfinite(vectors.grad).all())


def test_a_tie_at_the_margin_is_hard():
    # a = p = n: positive and negative both at cosine 1
    kept = math.log(1 + math.exp(-0.5)) + math.log(1 + math.exp(0.5))
    for miner in ("triplet", "multi_similarity"):
        value = multi_similarity(torch.ones(3, 2), torch.tensor([0, 0, 1]), margin=0.0, beta=1.0, miner=miner).item()
        assert value == pytest.approx(2 * kept / 3)  # the third has no positive


def test_matryoshka_takes_them():
    vectors, labels = rows(9), torch.tensor(LABELS["repeats"])
    value = matryoshka(lambda v: label_nt_xent(v, labels), vectors, dimensions=[2, 5], weights=[0.5, 1.0])
    expected = 0.5 * label_nt_xent(vectors[:, :2], labels) + label_nt_xent(vectors, labels)
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_messages(name):
    objective = OBJECTIVES[name]
    for vectors, labels in ((rows(3), torch.zeros(2)), (rows(0), torch.zeros(0)), (rows(3)[0], torch.zeros(5))):
        with pytest.raises(ValueError, match=rf"{name} needs \(N, D\) vectors and \(N,\) labels, N >= 1, got \("):
            objective(vectors, labels)
    with pytest.raises(ValueError, match=r"got \(3, 5\) and \(2,\)"):
        objective(rows(3), torch.zeros(2))


def test_messages_of_their_own():
    labels = torch.zeros(3)
    for objective in (label_nt_xent, supcon):
        for bad in (0.0, -1.0, math.nan):
            with pytest.raises(ValueError, match=rf"{objective.__name__} needs a temperature > 0, got"):
                objective(rows(3), labels, temperature=bad)
    for bad in ({"alpha": 0.0}, {"beta": -1.0}, {"alpha": math.nan}):
        with pytest.raises(ValueError, match="multi_similarity needs alpha > 0 and beta > 0, got"):
            multi_similarity(rows(3), labels, **bad)
    with pytest.raises(ValueError, match="needs a miner out of triplet, multi_similarity, got 'hard'"):
        multi_similarity(rows(3), labels, miner="hard")
