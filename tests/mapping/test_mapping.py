from __future__ import annotations

import logging
import sys
import tracemalloc

import numpy as np
import pytest
from rotated import pairs_of_gold, precision, rotated

from align.errors import InputError
from align.mapping import LinearMap, Normalization, fit_procrustes, identical_seed, pairs_of, procrustes, rcsls, refine
from align.mapping import linear_map as linear_map_module
from align.mapping.rcsls import rcsls_loss
from align.mapping.refine import mutual_neighbours


@pytest.fixture(scope="module")
def spaces():
    x, y, gold = rotated(noise=0.05)
    return x, y, gold, pairs_of_gold(gold)


def rows(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


# Normalisation


def test_normalisation_by_hand_and_on_new_words():
    x = np.array([[3, 4], [0, 0], [0, -2]])
    learned, out = linear_map_module.learn_normalization(x, "unit,center,unit")
    mean = np.array([0.3, -0.1])  # of (.6, .8) and (0, -1); the row of zeros does not count
    expected = np.array([[0.6, 0.8], [0, -1]]) - mean
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert out == pytest.approx(np.array([expected[0], [0, 0], expected[1]]), abs=1e-6)
    assert (learned(x) == out).all()
    assert learned(np.array([[30, 40]])) == pytest.approx(expected[:1], abs=1e-6)
    assert out.dtype == np.float32


def test_normalisation_may_be_none_or_centring_alone():
    x = rows(5, 3)
    assert linear_map_module.learn_normalization(x, "none")[1] == pytest.approx(x, abs=1e-6)
    assert linear_map_module.learn_normalization(x, "center")[1] == pytest.approx(x - x.mean(axis=0), abs=1e-6)
    with pytest.raises(InputError, match="unknown normalisation 'whiten' in 'unit,whiten': expected none, or of unit"):
        linear_map_module.learn_normalization(x, "unit,whiten")


def test_a_map_applies_normalisation_then_matrix_in_any_blocks():
    turn = LinearMap(Normalization(("unit",), ()), np.array([[0.0, 1], [-1, 0]]))
    assert turn(np.array([[2.0, 0], [0, 3]])) == pytest.approx(np.array([[0, 1], [-1, 0]]))
    x = rows(7, 2)
    assert (turn(x, block=3) == turn(x)).all()
    with pytest.raises(InputError, match="vectors of 3 dimensions; expected the map's 2"):
        turn(rows(2, 3))


# Procrustes


def test_procrustes_stands_on_the_right():
    x = np.array([[1.0, 0], [0, 1]])
    assert procrustes(x, np.array([[0.0, 1], [-1, 0]])) == pytest.approx(np.array([[0, 1], [-1, 0]]))


def test_procrustes_is_orthogonal_and_no_other_rotation_fits_better():
    x, y = rows(30, 4), rows(30, 4, seed=1)
    w = procrustes(x, y)
    assert w @ w.T == pytest.approx(np.eye(4), abs=1e-12)
    least = np.linalg.norm(x @ w - y)
    for seed in range(200):
        other = np.linalg.qr(np.eye(4) + 0.1 * rows(4, 4, seed=seed))[0]
        other = w @ other * np.sign(np.diag(other))
        assert np.linalg.norm(x @ other - y) >= least


def test_where_pairs_leave_it_open_the_map_is_nearest_to_the_identity(caplog):
    q = np.linalg.qr(rows(6, 6))[0]
    x = rows(2, 6, seed=1)
    with caplog.at_level(logging.WARNING):
        w = procrustes(x, x @ q)
    assert "2 pairs leave 4 of 6 dimensions of the map undetermined" in caplog.text
    assert w @ w.T == pytest.approx(np.eye(6), abs=1e-12)
    assert x @ w == pytest.approx(x @ q)
    span = np.linalg.svd(x)[2][2:]  # what x leaves open
    for seed in range(100):
        turn = np.linalg.qr((seed % 2) * np.eye(4) + 0.1 * rows(4, 4, seed=seed))[0]  # near to none, and any
        turn = turn * np.sign(np.diag(turn)) if seed % 2 else turn
        other = (np.eye(6) - span.T @ span + span.T @ turn @ span) @ w
        assert x @ other == pytest.approx(x @ w)
        assert np.trace(other) <= np.trace(w) + 1e-9


@pytest.mark.parametrize("x", [[[1.0, 0, 0]], [[0.0, 0, 0]]], ids=["one pair", "a zero pair"])
def test_one_pair_mapped_onto_itself_gives_the_identity(x, caplog):
    assert procrustes(np.array(x), np.array(x)) == pytest.approx(np.eye(3), abs=1e-12)
    assert "undetermined" in caplog.text


def test_enough_pairs_give_no_warning(caplog):
    procrustes(rows(9, 4), rows(9, 4, seed=1))
    assert caplog.text == ""


def test_the_objective_of_procrustes_is_the_mean_cosine():
    x, y, gold = rotated(50, 6, noise=0.3)
    fit = fit_procrustes(x, y, pairs_of_gold(gold, 20))
    cosines = []
    for a, b in zip(fit.source(x)[:20], fit.target(y)[gold[:20]], strict=True):
        cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert fit.objective == (pytest.approx(np.mean(cosines), abs=1e-6),)
    assert fit.measure == "mean cosine of the pairs"
    assert (fit.pairs == pairs_of_gold(gold, 20)).all()


# A rotation is recovered


@pytest.mark.parametrize(
    "method",
    [
        lambda x, y, pairs: fit_procrustes(x, y, pairs[:200]),
        lambda x, y, pairs: refine(x, y, pairs[:25]),
        lambda x, y, pairs: rcsls(x, y, pairs[:200]),
        lambda x, y, pairs: rcsls(x, y, pairs[:200], batch=64, epochs=3, projection="none"),
    ],
    ids=["procrustes", "refine", "rcsls", "rcsls in batches"],
)
def test_a_rotation_is_recovered(method, spaces):
    x, y, gold, pairs = spaces
    fit = method(x, y, pairs)
    assert precision(fit, x, y, gold) == 1
    assert (fit.target.matrix == np.eye(50)).all()


@pytest.mark.parametrize("normalization", ["unit", "center", "unit,center,unit", "none"])
def test_every_normalisation_serves(normalization):
    x, y, gold = rotated(300, 20)
    assert precision(fit_procrustes(x, y, pairs_of_gold(gold, 100), normalization=normalization), x, y, gold) == 1


def test_before_the_map_words_are_not_found(spaces):
    x, y, gold, _ = spaces
    untouched = fit_procrustes(x, x, np.stack([np.arange(2000)] * 2, axis=1))
    assert precision(untouched, x, y, gold) < 0.02


# Refinement


def test_mutual_neighbours_by_their_definition():
    x, y = rows(12, 3), rows(9, 3, seed=1)
    left, right = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y))
    cosines = left @ right.T
    r_x, r_y = np.sort(cosines, axis=1)[:, -4:].mean(axis=1), np.sort(cosines, axis=0)[-4:].mean(axis=0)
    csls = 2 * cosines - r_x[:, None] - r_y
    expected = [(i, j) for i in range(12) for j in range(9) if csls[i].argmax() == j and csls[:, j].argmax() == i]
    found, scores = mutual_neighbours(x, y, k=4, block=5)
    assert list(map(tuple, found)) == expected
    assert scores == pytest.approx([csls[pair] for pair in expected], abs=2e-6)


def test_refinement_improves_a_small_seed_and_its_objective_rises(spaces):
    x, y, gold, pairs = spaces
    start = refine(x, y, pairs[:18], rounds=0)
    assert precision(start, x, y, gold) < 0.9
    assert (start.pairs == pairs[:18]).all()
    fit = refine(x, y, pairs[:18])
    assert precision(fit, x, y, gold) == 1
    assert fit.objective[0] == start.objective[0]
    assert (np.diff(fit.objective) > 0).all() and len(fit.objective) > 1
    assert fit.source.matrix @ fit.source.matrix.T == pytest.approx(np.eye(50), abs=1e-9)
    again = fit_procrustes(x, y, fit.pairs)  # the pairs are those that the map was fitted to
    assert again.source.matrix == pytest.approx(fit.source.matrix, abs=1e-6)


def test_refinement_keeps_the_map_before_the_objective_falls(spaces, monkeypatch):
    x, y, _, pairs = spaces
    scores = iter([0.5, 0.6, 0.4, 0.9])
    monkeypatch.setattr(
        sys.modules["align.mapping.refine"],  # the package has a function of this name
        "mutual_neighbours",
        lambda *_, **__: (pairs[: 100 + 100 * round(10 * (s := next(scores)))], np.array([s], dtype=np.float32)),
    )
    fit = refine(x, y, pairs[:25])
    assert fit.objective == pytest.approx((0.5, 0.6))
    assert len(fit.pairs) == 600


def test_refinement_uses_the_frequent_words_only(spaces):
    x, y, gold, pairs = spaces
    order = np.argsort(gold)  # so that row i translates row i
    fit = refine(x[order], y, pairs_of_gold(np.arange(2000))[1000:1060], frequent=300)
    assert fit.pairs.max() < 300 and len(fit.objective) > 1
    with pytest.raises(InputError, match="expected rounds >= 0 and frequent >= 1, got -1 and 20000"):
        refine(x, y, pairs, rounds=-1)


# RCSLS


def loss_by_definition(w, x, y, negatives_x, negatives_y, k):
    """One pair at a time."""
    total = 0.0
    for a, b in zip(x, y, strict=True):
        near_b = np.mean(sorted((a @ w @ z for z in negatives_y), reverse=True)[:k])
        near_a = np.mean(sorted((z @ w @ b for z in negatives_x), reverse=True)[:k])
        total += -2 * (a @ w @ b) + near_b + near_a
    return total / len(x)


def problem(seed=0):
    sizes = (11, 11, 23, 17)
    return [rows(n, 5, seed=seed + i).astype(np.float32) for i, n in enumerate(sizes)]


@pytest.mark.parametrize("block", [1, 4, 100])
@pytest.mark.parametrize("k", [1, 3, 50])
def test_rcsls_loss_by_its_definition_in_any_blocks(block, k):
    w, data = rows(5, 5, seed=9), problem()
    assert rcsls_loss(w, *data, k=k, block=block)[0] == pytest.approx(loss_by_definition(w, *data, k), rel=1e-9)


def test_rcsls_loss_by_hand():
    x = np.array([[1, 0]], dtype=np.float32)
    y = np.array([[0, 1]], dtype=np.float32)
    # -2 * 0 + (x . x) + (y . y) at W = I, with each word's own side as negatives of the other
    loss, gradient = rcsls_loss(np.eye(2), x, y, y, x, k=1)
    assert loss == 2
    assert (gradient == [[1, -2], [0, 1]]).all()


@pytest.mark.parametrize("block", [3, 100])
def test_rcsls_gradient_numerically(block):
    w, data, step = rows(5, 5, seed=9), problem(), 1e-6
    gradient = rcsls_loss(w, *data, k=3, block=block)[1]
    for i, j in np.ndindex(w.shape):
        moved = np.zeros_like(w)
        moved[i, j] = step
        slope = loss_by_definition(w + moved, *data, 3) - loss_by_definition(w - moved, *data, 3)
        assert gradient[i, j] == pytest.approx(slope / (2 * step), abs=1e-7)


@pytest.mark.parametrize("batch", [None, 50])
def test_rcsls_lowers_its_loss(batch):
    x, y, gold = rotated(300, 12, noise=0.8)
    pairs = pairs_of_gold(gold, 60)
    fit = rcsls(x, y, pairs, batch=batch and 20, rate=2.0)
    assert (np.diff(fit.objective) < 0).all() and len(fit.objective) > 4
    assert np.linalg.norm(fit.source.matrix, 2) <= 1 + 1e-12
    start = fit_procrustes(x, y, pairs)
    left, right = start.source.normalization(x), start.target.normalization(y)
    loss = loss_by_definition(start.source.matrix, left[:60], right[gold[:60]], left, right, 10)
    assert fit.objective[0] == pytest.approx(loss, abs=1e-6)
    last = loss_by_definition(fit.source.matrix, left[:60], right[gold[:60]], left, right, 10)
    assert fit.objective[-1] == pytest.approx(last, abs=1e-6)


def test_a_rate_too_high_is_halved_and_the_epoch_undone(caplog):
    x, y, gold = rotated(200, 10, noise=0.8)
    with caplog.at_level(logging.INFO):
        fit = rcsls(x, y, pairs_of_gold(gold, 100), rate=1e4, epochs=40)
    rates = [float(line.rpartition(" ")[2]) for line in caplog.text.splitlines() if "rate" in line]
    assert rates[1] == 5e3 and rates[-1] < 100
    assert (np.diff(fit.objective) < 0).all() and len(fit.objective) > 1
    stopped = rcsls(x, y, pairs_of_gold(gold, 100), rate=1.5e-4, epochs=5, projection="none")
    assert len(stopped.objective) == 6  # small steps all lower the loss


def test_without_projection_the_map_may_stretch():
    x, y, gold = rotated(400, 10, noise=0.8)
    free = rcsls(x, y, pairs_of_gold(gold, 200), rate=5.0, projection="none")
    assert np.linalg.norm(free.source.matrix, 2) > 1.01


def test_negatives_are_the_most_frequent_words():
    x, y, gold = rotated(300, 10, noise=0.5)
    pairs = pairs_of_gold(gold, 100)
    few = rcsls(x, y, pairs, epochs=0, max_negatives=40)
    left, right = few.source.normalization(x), few.target.normalization(y)
    loss = loss_by_definition(few.source.matrix, left[:100], right[gold[:100]], left[:40], right[:40], 10)
    assert few.objective[0] == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"projection": "l2"}, "unknown projection 'l2': expected spectral or none"),
        ({"rate": 0}, "a rate > 0"),
        ({"rate": float("nan")}, "a rate > 0"),
        ({"batch": 0}, "of at least 1"),
        ({"k": 0}, "of at least 1"),
        ({"epochs": -1}, "epochs >= 0"),
    ],
)
def test_options_of_rcsls_outside_their_range(options, message):
    with pytest.raises(InputError, match=message):
        rcsls(rows(4, 2), rows(4, 2), [[0, 0]], **options)


# Memory


def peak(function):
    tracemalloc.start()
    function()
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return used


@pytest.mark.parametrize("method", [refine, rcsls], ids=["refine", "rcsls"])
def test_memory_is_bounded_by_the_block(method):
    """Two vocabularies of 20,000 x 64, 5 MB each; the scores of 500 pairs with one would be 40 MB."""
    x, y = (rows(20_000, 64, seed=seed).astype(np.float32) for seed in (0, 1))
    pairs = np.stack([np.arange(500)] * 2, axis=1)
    options = {"rounds": 1, "frequent": 2_000} if method is refine else {"epochs": 1}
    assert peak(lambda: method(x, y, pairs, block=256, **options)) < 25e6


# Degenerate and bad input


@pytest.mark.parametrize("method", [fit_procrustes, refine, rcsls])
@pytest.mark.parametrize(
    ("x", "y", "pairs", "message"),
    [
        (rows(4, 3), rows(4, 2), [[0, 0]], "source vectors have 3 dimensions, target vectors 2: expected the same"),
        (rows(4, 3), rows(4, 3), np.empty((0, 2), int), "no pair of words to learn a map from"),
        (rows(4, 3), rows(4, 3), [[0, 4]], "pairs name target rows 4 to 4: expected 0 to 3"),
        (rows(4, 3), rows(4, 3), [[-1, 0]], "pairs name source rows -1 to -1: expected 0 to 3"),
        (rows(4, 3), rows(4, 3), [0, 1], r"pairs have shape \(2,\) of int64: expected \(n, 2\) rows"),
        (rows(4, 3), rows(4, 3), [[0.5, 1]], r"pairs have shape \(1, 2\) of float64"),
        (rows(4, 3), [[1, 2, 3], [1, np.nan, 2]], [[0, 0]], "target vectors: row 1 holds NaN or Inf"),
        ([[np.inf, 0, 0]], rows(4, 3), [[0, 0]], "source vectors: row 0 holds NaN or Inf"),
        (np.empty((0, 3)), rows(4, 3), [[0, 0]], "source vectors: expected one at least, none were given"),
        (["a"], rows(4, 3), [[0, 0]], "source vectors: expected a matrix of numbers"),
    ],
)
def test_bad_input_is_one_sentence(method, x, y, pairs, message):
    with pytest.raises(InputError, match=message):
        method(x, y, pairs)


def test_procrustes_says_what_it_expected():
    with pytest.raises(InputError, match=r"paired vectors of one shape \(n, d\), got \(2, 3\) and \(3, 3\)"):
        procrustes(rows(2, 3), rows(3, 3))
    with pytest.raises(InputError, match=r"of one shape \(n, d\), got \(0, 3\)"):
        procrustes(np.empty((0, 3)), np.empty((0, 3)))
    with pytest.raises(InputError, match="row 1 of y holds NaN or Inf"):
        procrustes(rows(2, 2), [[0, 0], [np.nan, 0]])


@pytest.mark.parametrize("method", [fit_procrustes, refine, rcsls])
def test_one_pair_is_enough_and_fewer_than_dimensions_are_warned_of(method, caplog):
    x, y, gold = rotated(30, 8)
    fit = method(x, y, pairs_of_gold(gold, 1))
    assert "1 pairs leave 7 of 8 dimensions" in caplog.text
    if method is fit_procrustes:
        assert fit.source(x[:1]) == pytest.approx(fit.target(y[gold[:1]]), abs=0.05)


@pytest.mark.parametrize("method", [fit_procrustes, refine, rcsls])
def test_words_without_a_vector_do_no_harm(method):
    x, y, gold = rotated(400, 10)
    x[:5], y[gold[:5]] = 0, 0
    fit = method(x, y, pairs_of_gold(gold, 100))
    assert np.isfinite(fit.source.matrix).all() and np.isfinite(fit.objective).all()
    assert (fit.source(x)[:5] == 0).all()
    assert precision(fit, x, y, gold) >= 395 / 400


# Seeds

SOURCE, TARGET = (
    ["the", "cat", "dog", "1984", "b2b", "3.5", "..."],
    ["der", "katze", "hund", "Hund", "1984", "b2b", "3.5"],
)


def test_pairs_of_a_dictionary():
    lines = ["the\tder", "", "cat Katze", "dog hund", "dog\tHund", "dog hund", "of von", "cat\tdie katze"]
    seed = pairs_of(lines, SOURCE, TARGET)
    assert seed.rows.tolist() == [[0, 0], [1, 1], [2, 2], [2, 3]]
    assert seed.coverage() == {
        "lines": 7, "set_aside": 0, "repeated": 1, "pairs": 4, "uncovered_pairs": 2, "lowered_pairs": 1,
        "source_words": 4,
        "covered_source_words": 3, "coverage": 0.75,
    }  # fmt: skip
    assert seed.uncovered == (("of", "von"), ("cat", "die katze"))


def test_a_word_in_two_cases_is_one_pair_of_rows():
    seed = pairs_of(["cat katze", "Cat Katze"], SOURCE, TARGET)
    assert seed.rows.tolist() == [[1, 1]]
    assert (seed.lines, seed.repeated, seed.lowered) == (2, 0, 1)


def test_no_covered_pair_is_no_rows():
    assert pairs_of(["of von"], SOURCE, TARGET).rows.shape == (0, 2)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "d.txt is empty: expected source TAB target"),
        (["", " "], "d.txt is empty"),
        (["", "a b c"], "d.txt, line 2: expected source and target.*got 3 columns"),
        (["cat"], "d.txt, line 1: expected source and target.*got 1 columns"),
        (["", "<!DOCTYPE html>"], "d.txt, line 2: .*XML or HTML page"),
    ],
)
def test_what_is_no_dictionary(lines, message):
    with pytest.raises(InputError, match=message):
        pairs_of(lines, SOURCE, TARGET, name="d.txt")


def test_an_odd_line_is_set_aside(caplog):
    seed = pairs_of(["cat katze", "a b c", "dog\t", "dog hund"], SOURCE, TARGET, name="d.txt")
    assert seed.rows.tolist() == [[1, 1], [2, 2]] and seed.coverage()["set_aside"] == 2 and seed.repeated == 0
    assert seed.odd[1] == "d.txt, line 3: expected two words, one is blank"
    assert "d.txt: 2 of 4 lines are set aside, the first: d.txt, line 2: expected source and target" in caplog.text


@pytest.mark.parametrize("first", ["source target", "Deutsch\tEnglisch", "English Deutsch", "русский\tанглийский"])
def test_a_header_of_names_is_no_pair(first):
    assert pairs_of([first, "cat katze"], SOURCE, TARGET).lines == 1


def test_words_that_are_a_language_each_are_a_pair():
    assert pairs_of(["German deutsch", "cat katze"], SOURCE, TARGET).lines == 2


def test_identical_words():
    assert identical_seed(SOURCE, TARGET).tolist() == [[3, 4], [4, 5], [5, 6]]
    assert identical_seed(SOURCE, TARGET, numerals=True).tolist() == [[3, 4], [5, 6]]
    assert identical_seed(["a"], ["b"]).shape == (0, 2)
    assert identical_seed(["a", "a"], ["a", "b", "a"]).tolist() == [[0, 0]]
