"""Scores, ranks, losses and statistics against loops and scipy, on whatever shapes and ties are drawn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from align.objectives import info_nce, multiple_negatives, nt_xent
from align.similarity.cosine import normalize
from align.similarity.csls import csls_top_k, neighbourhood_means
from align.similarity.margin import SCORES, both_ranks, margins
from align.similarity.nearest import exact_neighbours, top_k
from align.similarity.ranks import best_gold_ranks, gold_ranks
from align.tasks.statistics.intervals import bootstrap_mean
from align.tasks.statistics.permutation import sign_flip_p
from align.tasks.statistics.tests import holm, paired_difference

SEED, COUNT, BLOCK = st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 10)


def vectors(seed, n, d=4, *, grid=False):
    """Rows; on a grid, so that many are parallel and tie."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-1, 2, (n, d)) if grid else rng.standard_normal((n, d))
    rows[np.all(rows == 0, axis=1)] = 1
    return rows.astype(np.float32)


def cosines_of(x, y):
    return normalize(x).astype(np.float64) @ normalize(y).astype(np.float64).T


def mean_of_best(row, k):
    return float(np.mean(sorted(row, reverse=True)[:k]))


def scored(cosine, r_x, r_y, score):
    if score == "ratio":
        return cosine / max((r_x + r_y) / 2, 1e-6)
    return {"cosine": cosine, "csls": 2 * cosine - r_x - r_y, "distance": cosine - (r_x + r_y) / 2}[score]


@given(seed=SEED, n=COUNT, m=COUNT, k=COUNT, block=BLOCK)
def test_means_csls_and_the_nearest(seed, n, m, k, block):
    x, y = vectors(seed, n), vectors(seed + 1, m)
    cosines = cosines_of(x, y)
    r_x, r_y = [mean_of_best(row, k) for row in cosines], [mean_of_best(row, k) for row in cosines.T]
    of_x, of_y = neighbourhood_means(x, y, k=k, block=block)
    assert of_x == pytest.approx(r_x, abs=1e-5) and of_y == pytest.approx(r_y, abs=1e-5)
    found = csls_top_k(x, y, k, query_means=of_x, candidate_means=of_y, block=block)
    near = top_k(x, y, k, block=block)
    for i in range(n):
        csls = [scored(cosines[i, j], r_x[i], r_y[j], "csls") for j in range(m)]
        assert found.cosines[i] == pytest.approx(sorted(csls, reverse=True)[:k], abs=1e-5)
        assert [csls[j] for j in found.rows[i]] == pytest.approx(found.cosines[i], abs=1e-5)
        assert near.cosines[i] == pytest.approx(sorted(cosines[i], reverse=True)[:k], abs=1e-5)
        assert len(set(near.rows[i].tolist())) == len(near.rows[i]) == min(k, m)


@pytest.mark.parametrize("score", SCORES)
@given(seed=SEED, n=COUNT, m=COUNT, k=COUNT, block=BLOCK)
def test_margins_of_both_sides(score, seed, n, m, k, block):
    x, y = vectors(seed, n), vectors(seed + 1, m)
    cosines = cosines_of(x, y)
    r_x, r_y = [mean_of_best(row, k) for row in cosines], [mean_of_best(row, k) for row in cosines.T]
    near = exact_neighbours(x, y, k=k, block=block, progress=False)
    for there, of in zip(near, margins(*near, score=score), strict=True):
        for i, row in enumerate(there.rows.tolist()):
            pairs = [(i, j) if there is near[0] else (j, i) for j in row]
            assert of[i] == pytest.approx([scored(cosines[p], r_x[p[0]], r_y[p[1]], score) for p in pairs], rel=1e-3)


@given(seed=SEED, n=COUNT, extra=st.integers(0, 4), block=BLOCK)
def test_ranks_with_ties(seed, n, extra, block):
    x, y = vectors(seed, n, 3, grid=True), vectors(seed + 1, n + extra, 3, grid=True)
    cosines, rng = cosines_of(x, y), np.random.default_rng(seed)
    gold = rng.integers(0, len(y), n)
    expected = [1 + sum(j != g and row[j] >= row[g] - 1e-6 for j in range(len(y)))
                for row, g in zip(cosines, gold, strict=True)]  # fmt: skip
    assert gold_ranks(x, y, gold, block=block).tolist() == expected
    golds = [sorted(set(rng.integers(0, len(y), 3).tolist())) for _ in range(n)]
    for ties in ("against", "for", "mean"):
        ranks = []
        for row, right in zip(cosines, golds, strict=True):
            best = max(row[g] for g in right)
            level = sum(abs(row[j] - best) <= 1e-6 for j in range(len(y)) if j not in right)
            above = sum(row[j] > best + 1e-6 for j in range(len(y)) if j not in right)
            ranks.append(1 + above + {"against": level, "for": 0, "mean": level / 2}[ties])
        assert best_gold_ranks(x, y, golds, ties=ties, block=block).tolist() == ranks


@pytest.mark.parametrize("score", SCORES)
@given(seed=SEED, n=COUNT, k=COUNT, block=BLOCK)
def test_ranks_by_margin(score, seed, n, k, block):
    x, y = vectors(seed, n), vectors(seed + 1, n)
    cosines = cosines_of(x, y)
    r_x, r_y = [mean_of_best(row, k) for row in cosines], [mean_of_best(row, k) for row in cosines.T]
    scores = np.array([[scored(cosines[i, j], r_x[i], r_y[j], score) for j in range(n)] for i in range(n)])
    own = np.diag(scores)
    if np.abs(scores - own[:, None])[~np.eye(n, dtype=bool)].min(initial=1) < 1e-3 * max(1, np.abs(own).max()):
        return  # near ties are those of the test above
    if np.abs(scores - own)[~np.eye(n, dtype=bool)].min(initial=1) < 1e-3 * max(1, np.abs(own).max()):
        return
    there, back = both_ranks(x, y, score=score, k=k, block=block)
    assert there.tolist() == (1 + (scores > own[:, None]).sum(1)).tolist()
    assert back.tolist() == (1 + (scores > own).sum(0)).tolist()


@pytest.mark.parametrize("objective", [nt_xent, info_nce, multiple_negatives])
@given(
    seed=SEED, n=st.integers(2, 9), block=BLOCK, grouped=st.booleans(), symmetric=st.booleans(), cosine=st.booleans(),
    margin=st.sampled_from([None, 0.0, 0.1]), hardness=st.sampled_from([0.0, 0.5]),
)  # fmt: skip
def test_a_streaming_loss_is_the_plain_one(objective, seed, n, block, grouped, symmetric, cosine, margin, hardness):
    generator, made = torch.Generator().manual_seed(seed), []
    source, target = torch.randn(2, n, 5, generator=generator, dtype=torch.float64)
    options = {"cosine": cosine, "false_negatives": margin, "hardness": hardness}
    options |= {"groups": torch.randint(0, n, (n,), generator=generator) if grouped else None}
    options |= {} if objective is nt_xent else {"symmetric": symmetric}
    for height in (0, block):
        sides = [side.clone().requires_grad_() for side in (source, target)]
        heat = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        loss = objective(*sides, temperature=heat, block=height, **options)
        loss.backward()
        made.append(torch.cat([loss.detach().view(1), heat.grad.view(1), *(side.grad.flatten() for side in sides)]))
    assert torch.allclose(*made, rtol=1e-8, atol=1e-10)


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_closed_test(p):
    """Rejected at alpha means: every set of hypotheses that holds it is rejected by Bonferroni."""
    adjusted = holm(p)
    for i in range(len(p)):
        others = [j for j in range(len(p)) if j != i]
        closed = max(
            len(some) * min(p[j] for j in some)
            for size in range(len(p)) for rest in itertools.combinations(others, size) for some in [(i, *rest)]
        )  # fmt: skip
        assert adjusted[i] == pytest.approx(min(1, closed))


@given(items=st.lists(st.booleans(), min_size=1, max_size=40), level=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_an_interval_of_right_and_wrong_is_wilsons(items, level):
    expected = scipy.stats.binomtest(sum(items), len(items)).proportion_ci(level, method="wilson")
    assert bootstrap_mean([float(item) for item in items], level=level) == pytest.approx(tuple(expected), abs=1e-9)


@given(differences=st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=30))
def test_p_of_right_and_wrong_is_the_sign_test(differences):
    up, down = differences.count(1.0), differences.count(-1.0)
    expected = scipy.stats.binomtest(up, up + down).pvalue if up + down else 1.0
    assert sign_flip_p([np.array(differences)]) == pytest.approx(expected)


@given(differences=st.lists(st.integers(-9, 9), min_size=2, max_size=8))
def test_p_of_a_difference_is_scipys_paired_permutation(differences):
    a = np.array(differences, dtype=np.float64)
    found = paired_difference(a, np.zeros(len(a)), resamples=2)
    with np.errstate(all="ignore"):
        expected = scipy.stats.permutation_test(
            (a, np.zeros(len(a))), lambda x, y, axis: (x - y).mean(axis=axis), permutation_type="samples",
            n_resamples=np.inf, vectorized=True,
        ).pvalue  # fmt: skip
    assert found.p == pytest.approx(expected) and found.value == pytest.approx(a.mean())
