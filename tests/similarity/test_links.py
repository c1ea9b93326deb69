"""Links against their definitions, by loops over cells, one pair of sentences at a time."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from align.errors import InputError
from align.similarity import links as module
from align.similarity.links import METHODS, Linking, link

SHAPES = [(5, 7), (1, 1), (3, 3), (0, 4), (2, 6), (9, 4), (4, 0), (6, 6), (3, 8), (12, 11), (1, 5)]


def rows(seed=0, d=6):
    rng = np.random.default_rng(seed)
    made = [[rng.standard_normal((m, d)).astype(np.float32) for m in sizes] for sizes in zip(*SHAPES, strict=True)]
    made[1][5][1] = made[1][5][0]  # equal cosines
    return made


def cosine(a, b):
    return float(a @ b / math.sqrt((a @ a) * (b @ b)))


def mutual(weights):
    """Cells that are the first highest of their row and column."""
    m, n = weights.shape
    return {
        (i, j) for i in range(m) for j in range(n)
        if j == max(range(n), key=lambda k: (weights[i, k], -k))
        and i == max(range(m), key=lambda k: (weights[k, j], -k))
    }  # fmt: skip


def by_definition(s, t, how):
    m, n = len(s), len(t)
    if not m or not n:
        return {}
    cosines = np.array([[cosine(a, b) for b in t] for a in s])
    if how.method == "argmax":
        cells = mutual(cosines)
    elif how.method == "match":
        short, long = sorted((m, n))
        tries = itertools.permutations(range(long), short)
        at = cosines if m <= n else cosines.T
        best = max(tries, key=lambda order: sum(at[i, j] for i, j in enumerate(order)))
        cells = {(i, j) if m <= n else (j, i) for i, j in enumerate(best)}
    elif how.method == "itermax":
        cells = mutual(cosines)
        for _ in range(how.rounds - 1):
            free_i, free_j = (set(range(k)) - {cell[side] for cell in cells} for side, k in ((0, m), (1, n)))
            if min(m, n) <= 2 or not free_i or not free_j:
                break
            weights = (cosines + 1) / 2
            for i, j in itertools.product(range(m), range(n)):
                weights[i, j] *= {2: 1, 1: how.alpha, 0: 0}[(i in free_i) + (j in free_j)]
            new = {(i, j) for i, j in mutual(weights) if i in free_i or j in free_j} - cells
            if not new:
                break
            cells |= new
    else:
        dots = np.array([[float(a @ b) / how.temperature for b in t] for a in s])
        p = np.array([[math.exp(x) / sum(map(math.exp, row)) for x in row] for row in dots])
        q = np.array([[math.exp(x) / sum(map(math.exp, column)) for x in column] for column in dots.T]).T
        return {
            (i, j): 2 * p[i, j] * q[i, j] / (p[i, j] + q[i, j]) for i in range(m) for j in range(n)
            if p[i, j] > how.probability and q[i, j] > how.probability and cosines[i, j] >= how.threshold
        }  # fmt: skip
    return {(i, j): cosines[i, j] for i, j in cells if cosines[i, j] >= how.threshold}


@pytest.mark.parametrize("options", [
    {"method": "argmax"}, {"method": "argmax", "threshold": 0.3}, {"method": "itermax"},
    {"method": "itermax", "rounds": 4, "alpha": 0.6}, {"method": "itermax", "rounds": 1}, {"method": "match"},
    {"method": "match", "threshold": 0.2}, {"method": "softmax", "probability": 0.2},
    {"method": "softmax", "probability": 0.1, "temperature": 2.0, "threshold": 0.4},
])  # fmt: skip
@pytest.mark.parametrize("cells", [1, 60, 10_000])
def test_links_are_those_of_the_definition_however_pairs_are_put_together(options, cells, monkeypatch):
    monkeypatch.setattr(module, "CELLS", cells)
    how = Linking(**options)
    for seed in range(4):
        source, target = rows(seed)
        if how.method == "match":  # all assignments are tried
            source, target = source[:5] + source[7:9], target[:5] + target[7:9]
        found = link(source, target, how)
        for s, t, (i, j, scores) in zip(source, target, found, strict=True):
            expected = by_definition(s.astype(float), t.astype(float), how)
            pairs = list(zip(i.tolist(), j.tolist(), strict=True))
            assert pairs == sorted(expected), (s.shape, t.shape)
            assert np.allclose(scores, [expected[pair] for pair in pairs], atol=1e-5)


def test_a_pair_by_hand():
    source = [np.array([[1, 0], [0, 1], [1, 1]], dtype=np.float32)]
    target = [np.array([[2, 0], [0, 5], [1, 2]], dtype=np.float32)]
    assert [part.tolist() for part in link(source, target, Linking("argmax"))[0][:2]] == [[0, 1, 2], [0, 1, 2]]
    (kept,) = link(source, target, Linking("argmax", threshold=0.95))
    assert kept.source.tolist() == [0, 1]  # the third is 3 / sqrt(10) = .949
    # One against all: softmax of (2, 0, 1) is (.665, .090, .245), each column has one row and is 1.
    (soft,) = link([source[0][:1]], target, Linking("softmax", probability=0.2))
    assert soft.target.tolist() == [0, 2]
    assert soft.scores.tolist() == pytest.approx([2 * 0.6652 / 1.6652, 2 * 0.2447 / 1.2447], abs=1e-3)


def test_a_link_is_kept_at_its_threshold_and_not_above():
    one, other = [np.array([[1, 0]], dtype=np.float32)], [np.array([[3, 4]], dtype=np.float32)]  # cosine .6
    for method in ("argmax", "itermax", "match"):
        kept = [len(link(one, other, Linking(method, least))[0].source) for least in (0.59, 0.6, 0.61)]
        assert kept == [1, 1, 0], method
    kept = [len(link(one, other, Linking("softmax", least, probability=0.5))[0].source) for least in (0.59, 0.61)]
    assert kept == [1, 0]


def test_of_two_rows_itermax_is_argmax():
    source = np.array([[1, 0], [0.72, 0.69], [-1, 0]], dtype=np.float32)
    target = np.array([[1, 0], [0, 1], [-0.1, -1]], dtype=np.float32)
    for rows, expected in ((2, [(0, 0)]), (3, [(0, 0), (1, 1), (2, 2)])):  # the second of both likes the first best
        (found,) = link([source[:rows]], [target], Linking("itermax"))
        assert list(zip(found.source.tolist(), found.target.tolist(), strict=True)) == expected


def test_a_row_of_zeros_and_no_pair():
    zeros = [np.zeros((2, 3), dtype=np.float32)]
    for method in METHODS:
        (found,) = link(zeros, [np.eye(3, dtype=np.float32)], Linking(method))
        assert np.isfinite(found.scores).all()
        assert link([], [], Linking(method)) == []


def test_great_products_do_not_overflow():
    source, target = rows()
    (found,) = link([source[0] * 1e4], [target[0] * 1e4], Linking("softmax"))
    assert np.isfinite(found.scores).all()
    assert len(found.source)


def test_messages():
    ones = np.ones((2, 3), dtype=np.float32)
    with pytest.raises(
        InputError, match="unknown method of word alignment 'itermx': expected one of .*; did you mean itermax"
    ):
        Linking("itermx")
    with pytest.raises(InputError, match="the threshold is a cosine, -1 to 1, got 2"):
        Linking(threshold=2)
    for wrong in ({"probability": 0}, {"alpha": 0}, {"alpha": 2}):
        with pytest.raises(InputError, match="expected probability inside 0 to 1 and alpha up to 1"):
            Linking(**wrong)
    for wrong in ({"rounds": 0}, {"temperature": 0}):
        with pytest.raises(InputError, match="expected rounds of at least 1 and a temperature above 0"):
            Linking(**wrong)
    with pytest.raises(InputError, match="as many sentences on both sides, got 1 and 2"):
        link([ones], [ones, ones], Linking())
    with pytest.raises(InputError, match="one dimension on both sides, got 3 and 2"):
        link([ones], [ones[:, :2]], Linking())
