from __future__ import annotations

import logging
import tracemalloc

import numpy as np
import pytest
from rotated import pairs_of_gold, precision, rotated

from align.errors import InputError
from align.mapping import SelfLearning, identical_seed, vecmap
from align.mapping.linear_map import normalized_spaces
from align.mapping.self_learning import _distributions, _next_dictionary, cross_product, unsupervised_pairs
from align.mapping.vecmap import advanced_maps

QUICK = SelfLearning(patience=1, growth=3)


@pytest.fixture(scope="module")
def spaces():
    x, y, gold = rotated(1200, 40, noise=0.02)
    return x, y, gold, pairs_of_gold(gold)


def rows(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


# A rotation is recovered


def test_supervised(spaces):
    x, y, gold, pairs = spaces
    fit = vecmap(x, y, pairs[:200])
    assert precision(fit, x, y, gold) == 1
    assert fit.measure == "mean canonical correlation"
    assert 0.95 < fit.objective[0] <= 1


def test_self_learning_from_25_pairs(spaces):
    x, y, gold, pairs = spaces
    fit = vecmap(x, y, pairs[:25], mode="semi", learning=QUICK)
    assert precision(fit, x, y, gold) == 1
    assert (np.diff(fit.objective) >= 1e-6).all() and fit.objective[-1] > fit.objective[0] + 0.1
    assert fit.pairs.shape == (2400, 2)  # of both directions
    assert (fit.pairs[:1200, 0] == np.arange(1200)).all() and (fit.pairs[1200:, 1] == np.arange(1200)).all()
    assert (fit.pairs[:1200, 1] == gold).mean() == 1


def test_identical_words_as_seed():
    x, y, gold = rotated(500, 20)
    target_words = [f"t{i}" for i in range(500)]
    for row in range(0, 500, 15):
        target_words[gold[row]] = f"s{row}"
    seed = identical_seed([f"s{i}" for i in range(500)], target_words)
    assert len(seed) == 34
    assert precision(vecmap(x, y, seed, mode="identical", learning=QUICK), x, y, gold) == 1


def test_unsupervised_on_an_isometric_pair():
    x, y, gold = rotated(800, 30)
    fit = vecmap(x, y, mode="unsupervised", learning=QUICK)
    assert precision(fit, x, y, gold) == 1


def test_a_rare_word_may_be_in_the_seed():
    x, y, gold = rotated(600, 20)
    order = np.argsort(gold)  # row i translates row i
    seed = pairs_of_gold(np.arange(600))[500:540]
    fit = vecmap(x[order], y, seed, mode="semi", learning=SelfLearning(frequent=400, patience=1))
    assert fit.pairs.max() < 400
    assert precision(fit, x[order], y, np.arange(600)) == 1


def test_the_same_seed_gives_the_same_maps():
    x, y, gold = rotated(200, 10, noise=0.3)
    fits = [
        vecmap(x, y, pairs_of_gold(gold, 12), mode="semi", learning=SelfLearning(patience=1, seed=s)) for s in (3, 3, 4)
    ]
    assert fits[0].objective == fits[1].objective != fits[2].objective
    assert (fits[0].source.matrix == fits[1].source.matrix).all()


# The formulas


def root(symmetric, power):
    values, vectors = np.linalg.eigh(symmetric)
    return vectors @ np.diag(values**power) @ vectors.T


def test_the_maps_are_whitening_rotation_weights_and_dewhitening():
    x, y, gold = rotated(200, 6, noise=0.6)
    spaces = normalized_spaces(x, y, "unit,center,unit")
    pairs = pairs_of_gold(gold, 60)
    source, target, s = advanced_maps(spaces, pairs, block=7)
    p, q = (side.astype(np.float64) for side in (spaces.x[pairs[:, 0]], spaces.y[pairs[:, 1]]))
    white_p, white_q = p @ root(p.T @ p, -0.5), q @ root(q.T @ q, -0.5)
    assert white_p.T @ white_p == pytest.approx(np.eye(6), abs=1e-9)
    u, expected, vt = np.linalg.svd(white_p.T @ white_q)
    assert s == pytest.approx(expected, abs=1e-9)
    weighted_p, weighted_q = white_p @ u * np.sqrt(expected), white_q @ vt.T * np.sqrt(expected)
    back_p = weighted_p @ (u.T @ root(p.T @ p, 0.5) @ u)
    back_q = weighted_q @ (vt @ root(q.T @ q, 0.5) @ vt.T)
    assert np.abs(p @ source - back_p).max() < 1e-9
    assert np.abs(q @ target - back_q).max() < 1e-9


def test_of_a_clean_rotation_both_sides_coincide():
    x, y, gold = rotated(200, 6, noise=0)
    fit = vecmap(x, y, pairs_of_gold(gold, 60), normalization="unit")
    assert fit.source(x) == pytest.approx(fit.target(y)[gold], abs=1e-5)
    assert fit.objective == (pytest.approx(1, abs=1e-6),)


def test_cross_product_in_blocks():
    x, y = rows(9, 3).astype(np.float32), rows(8, 4, seed=1).astype(np.float32)
    pairs = np.array([[0, 1], [8, 7], [3, 3], [3, 3], [2, 0]])
    expected = sum(np.outer(x[i].astype(float), y[j].astype(float)) for i, j in pairs)
    for block in (1, 2, 100):
        assert cross_product(x, y, pairs, block) == pytest.approx(expected)


@pytest.mark.parametrize("block", [5, 100])
def test_the_next_dictionary_by_its_definition(block):
    x, y = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (rows(12, 4), rows(9, 4, seed=1)))
    x, y = x.astype(np.float32), y.astype(np.float32)
    found, score = _next_dictionary(x, y, 3, 1.0, np.random.default_rng(0), block)
    cosines = x @ y.T
    r_x, r_y = np.sort(cosines, axis=1)[:, -3:].mean(axis=1), np.sort(cosines, axis=0)[-3:].mean(axis=0)
    csls = 2 * cosines - r_x[:, None] - r_y
    expected = [(i, csls[i].argmax()) for i in range(12)] + [(csls[:, j].argmax(), j) for j in range(9)]
    assert list(map(tuple, found)) == expected
    assert score == pytest.approx((cosines.max(axis=1).mean() + cosines.max(axis=0).mean()) / 2)


def test_dropout_hides_similarities_from_the_choice_but_not_from_the_objective():
    x = rows(400, 8).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    draw = np.random.default_rng(0)
    found, score = _next_dictionary(x, x, 5, 0.3, draw, 128)
    itself = found[:, 0] == found[:, 1]
    assert 0.24 < itself[:400].mean() < 0.36 and 0.24 < itself[400:].mean() < 0.36
    assert abs((itself[:400] & itself[400:]).mean() - 0.09) < 0.05  # the directions are drawn apart
    assert score == pytest.approx(1, abs=1e-6)


def test_a_hidden_similarity_is_never_chosen_though_all_others_are_negative():
    class Coins:
        def random(self, shape, dtype):
            return np.broadcast_to([[0.0, 0.9]], shape) if shape == (1, 2) else np.zeros(shape)

    x, y = np.array([[1, 0]], dtype=np.float32), np.array([[-1, 0], [-0.6, 0.8]], dtype=np.float32)
    found, _ = _next_dictionary(x, y, 1, 0.5, Coins(), 10)
    assert found[0].tolist() == [0, 0]


def test_words_are_described_by_the_sorted_root_of_their_similarities():
    x = rows(7, 3).astype(np.float32)
    gram = x.astype(float) @ x.T.astype(float)
    values, vectors = np.linalg.eigh(gram)
    expected = np.sort(vectors @ np.diag(np.sqrt(values.clip(0))) @ vectors.T, axis=1)
    assert _distributions(x) == pytest.approx(expected, abs=1e-5)


def test_the_unsupervised_start_finds_most_words_of_an_isometric_pair():
    x, y, gold = rotated(400, 30, noise=0)
    spaces = normalized_spaces(x, y, "unit")
    found = unsupervised_pairs(spaces, SelfLearning())
    assert (found[:400, 1] == gold).mean() > 0.95
    assert (found[400:, 0] == np.argsort(gold)).mean() > 0.95
    assert unsupervised_pairs(spaces, SelfLearning(initial=50)).max() == 49


def test_keep_grows_when_the_objective_stagnates(caplog):
    x, y, gold = rotated(150, 10)
    with caplog.at_level(logging.INFO):
        vecmap(x, y, pairs_of_gold(gold, 60), mode="semi", learning=SelfLearning(patience=2, growth=3))
    kept = [line.rpartition(", ")[2] for line in caplog.messages]
    assert kept == ["10 % kept", "30 % kept", "90 % kept", "100 % kept"]
    rounds = [int(line.split()[1].rstrip(":")) for line in caplog.messages]
    assert (np.diff(rounds) >= 3).all()


def test_learning_that_does_not_settle_is_warned_of(caplog):
    x, y, gold = rotated(100, 10)
    vecmap(x, y, pairs_of_gold(gold, 30), mode="semi", learning=SelfLearning(rounds=2))
    assert "self-learning did not settle within 2 rounds" in caplog.text


# Memory


def peak(function):
    tracemalloc.start()
    function()
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return used


def test_memory_of_self_learning_is_bounded_by_the_block():
    """Two vocabularies of 20,000 x 64, 5 MB each; the scores of 2,000 frequent words would be 16 MB, thrice."""
    x, y = (rows(20_000, 64, seed=seed).astype(np.float32) for seed in (0, 1))
    pairs = np.stack([np.arange(2_000)] * 2, axis=1)
    learning = SelfLearning(rounds=1, frequent=2_000)
    assert peak(lambda: vecmap(x, y, pairs, mode="semi", learning=learning, block=256)) < 25e6


# Degenerate and bad input


def test_fewer_pairs_than_dimensions_are_warned_of(caplog):
    x, y, gold = rotated(60, 10)
    fit = vecmap(x, y, pairs_of_gold(gold, 4))
    assert "source: 6 of 10 dimensions drop out, 4 pairs do not span them" in caplog.text
    assert "target: 6 of 10" in caplog.text
    assert np.linalg.matrix_rank(fit.source.matrix, tol=1e-6) == 4
    assert fit.source(x)[:4] == pytest.approx(fit.target(y)[gold[:4]], abs=0.1)


def test_one_pair_and_pairs_of_zeros_stay_finite(caplog):
    x, y, gold = rotated(60, 10)
    x[0], y[gold[0]] = 0, 0
    for pairs in (pairs_of_gold(gold, 1), pairs_of_gold(gold)[1:2]):
        fit = vecmap(x, y, pairs)
        assert np.isfinite(fit.source(x)).all() and np.isfinite(fit.target(y)).all()
    assert (fit.source(x)[0] == 0).all()
    assert "drop out" in caplog.text


@pytest.mark.parametrize(
    ("pairs", "options", "message"),
    [
        ([[0, 0]], {"mode": "both"}, "unknown mode 'both': expected one of supervised, semi, identical, unsupervised"),
        (None, {}, "mode supervised needs seed pairs"),
        ([[0, 0]], {"mode": "unsupervised"}, "mode unsupervised takes no seed pairs"),
        ([[0, 9]], {}, "pairs name target rows 9 to 9: expected 0 to 3"),
        ([], {"mode": "identical"}, "no pair of words to learn a map from"),
    ],
)
def test_bad_input_is_one_sentence(pairs, options, message):
    with pytest.raises(InputError, match=message):
        vecmap(rows(4, 3), rows(4, 3), pairs, **options)


@pytest.mark.parametrize("mode", ["supervised", "semi", "unsupervised"])
def test_rows_that_are_no_vectors(mode):
    pairs = None if mode == "unsupervised" else [[0, 0]]
    with pytest.raises(InputError, match="target vectors: row 1 holds NaN or Inf"):
        vecmap(rows(2, 3), [[1, 2, 3], [np.nan, 0, 0]], pairs, mode=mode)
    with pytest.raises(InputError, match="source vectors have 3 dimensions, target vectors 2"):
        vecmap(rows(2, 3), rows(2, 2), pairs, mode=mode)


@pytest.mark.parametrize("options", [{"keep": 0}, {"keep": 1.5}, {"growth": 1}, {"patience": 0}, {"rounds": 0}])
def test_settings_outside_their_range(options):
    with pytest.raises(InputError, match="expected counts >= 1, 0 < keep <= 1, growth > 1 and threshold >= 0"):
        SelfLearning(**options)
