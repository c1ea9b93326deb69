from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from align.errors import InputError
from align.similarity.cosine import TIE_TOLERANCE
from align.similarity.csls import csls_top_k
from align.similarity.margin import LEAST_MEAN, SCORES, both_ranks, margin_top_k, margins
from align.similarity.nearest import Neighbours, exact_neighbours, top_k
from align.similarity.ranks import gold_ranks

BLOCKS = [1, 3, 7, 2048]


def pairs(n: int, d: int = 6, noise: float = 1.0, common: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of one meaning each, twice with noise; ``common`` moves all of them the same way."""
    rng = np.random.default_rng(seed)
    meaning = rng.standard_normal((n, d)) + common
    return meaning + noise * rng.standard_normal((n, d)), meaning + noise * rng.standard_normal((n, d))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    lengths = math.sqrt(a @ a) * math.sqrt(b @ b)
    return float(a @ b) / lengths if lengths else 0.0


def all_cosines(x: np.ndarray, y: np.ndarray, k: int) -> tuple[list[list[float]], list[float], list[float]]:
    """The cosines of the rows of ``x`` with those of ``y``, and the neighbourhood means of either side."""

    def mean(row: list[float]) -> float:
        nearest = sorted(row, reverse=True)[:k]
        return sum(nearest) / len(nearest)

    cosines = [[cosine(a, b) for b in y] for a in x]
    return cosines, [mean(row) for row in cosines], [mean(list(column)) for column in zip(*cosines, strict=True)]


def score_of(cos: float, r_x: float, r_y: float, score: str) -> float:
    mean = (r_x + r_y) / 2
    return {
        "cosine": cos, "csls": 2 * cos - r_x - r_y, "distance": cos - mean, "ratio": cos / max(mean, float(LEAST_MEAN))
    }[score]  # fmt: skip


def ranks_by_definition(x, y, score, k, right, ties="against") -> list[int]:
    """``right[i]`` are the rows of ``y`` that answer row i of ``x``."""
    cosines, r_x, r_y = all_cosines(x, y, k)
    slack = -TIE_TOLERANCE if ties == "against" else TIE_TOLERANCE
    ranks = []
    for i in range(len(x)):
        bar = max(score_of(cosines[i][g] + slack, r_x[i], r_y[g], score) for g in right[i])
        rivals = [score_of(cosines[i][j], r_x[i], r_y[j], score) for j in range(len(y)) if j not in right[i]]
        ranks.append(1 + sum(rival >= bar if ties == "against" else rival > bar for rival in rivals))
    return ranks


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("n", [1, 2, 5, 20])
@pytest.mark.parametrize("score", SCORES)
def test_ranks_of_both_directions_match_the_definition(score: str, n: int, block: int) -> None:
    x, y = pairs(n, noise=0.7, common=0.4)
    own = [[i] for i in range(n)]
    of_x, of_y = both_ranks(x, y, score=score, k=4, block=block)
    assert of_x.tolist() == ranks_by_definition(x, y, score, 4, own)
    assert of_y.tolist() == ranks_by_definition(y, x, score, 4, own)
    if n == 20:
        assert 0.2 < (of_x == 1).mean() < 0.9  # else nothing was compared
        assert (of_x != of_y).any()


def test_the_scores_rank_differently_and_csls_as_distance() -> None:
    x, y = pairs(40, noise=1.5, common=0.4)
    ranks = {score: both_ranks(x, y, score=score)[0].tolist() for score in SCORES}
    assert ranks["csls"] == ranks["distance"]
    assert len({tuple(found) for found in ranks.values()}) == 3
    assert ranks["csls"] != both_ranks(x, y, score="csls", k=1)[0].tolist()


@pytest.mark.parametrize("block", [1, 4, 2048])
@pytest.mark.parametrize("ties", ["against", "for"])
@pytest.mark.parametrize("score", SCORES)
def test_rows_of_a_group_are_all_right(score: str, ties: str, block: int) -> None:
    x, y = pairs(17, noise=1.5, common=0.4, seed=1)
    y[5], y[9], x[3], x[11] = y[2], y[2], x[8], x[0]  # copies on either side, and a group of rows that differ
    of_y = np.arange(17)
    of_y[[5, 9]], of_y[14] = 2, 7
    of_x = np.arange(17) - 50
    of_x[3], of_x[11] = of_x[8], of_x[0]
    found = both_ranks(x, y, score=score, x_groups=of_x, y_groups=of_y, ties=ties, block=block)
    for ranks, sides, groups in ((found[0], (x, y), of_y), (found[1], (y, x), of_x)):
        right = [[j for j in range(17) if groups[j] == groups[i]] for i in range(17)]
        assert ranks.tolist() == ranks_by_definition(*sides, score, 4, right, ties)
    alone = both_ranks(x, y, score=score, ties=ties, block=block)
    assert (found[0] <= alone[0]).all() and (found[1] <= alone[1]).all()
    if ties == "against":
        assert alone[0][[2, 5, 9]].min() >= 3  # each of the three copies is behind the other two


def test_cosine_ranks_are_those_of_gold_ranks() -> None:
    x, y = pairs(300, d=16, noise=2.0)
    of_x, of_y = both_ranks(x, y, block=128)
    assert (of_x == gold_ranks(x, y)).all()
    assert (of_y == gold_ranks(y, x)).all()


def test_ranks_by_hand() -> None:
    # cosines: x_0 to y_0 .6, y_1 .8, y_2 0; x_1: -.8, .6, 1; x_2: 0, 1, .8.  Unit vectors at right and sharp angles.
    x, y = [[1, 0], [0, 1], [0.6, 0.8]], [[0.6, -0.8], [0.8, 0.6], [0, 1]]
    cosines = np.array(x) @ np.array(y).T
    np.testing.assert_allclose(cosines, [[0.6, 0.8, 0], [-0.8, 0.6, 1], [-0.28, 0.96, 0.8]], atol=1e-12)
    assert [ranks.tolist() for ranks in both_ranks(x, y)] == [[2, 2, 2], [1, 3, 2]]
    # nearest one: r_x .8, 1, .96, r_y .6, .96, 1.  x_0 to y_0: .6 - .7 = -.1, to y_1: .8 - .88 = -.08, y_2: 0 - .9
    # x_1 to y_1: .6 - .98 = -.38, to y_2 1 - 1 = 0, to y_0 below.  x_2 to y_2: .8 - .98 = -.18, y_1: .96 - .96 = 0
    assert both_ranks(x, y, score="distance", k=1)[0].tolist() == [2, 2, 2]
    # x_0 to y_0: .6 / .7 = .857, to y_1: .8 / .88 = .909
    assert both_ranks(x, y, score="ratio", k=1)[0].tolist() == [2, 2, 2]
    # y_0 is no neighbour: with the two nearest r_y0 is .16, and x_0 to y_0 .6 / .43 beats y_1 .8 / .79
    assert both_ranks(x, y, score="ratio", k=2)[0].tolist() == [1, 2, 2]


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("block", [2, 2048])
def test_all_rows_equal(score: str, block: int) -> None:
    same = np.tile(np.arange(1.0, 6.0), (5, 1))
    for rows in (same, np.zeros((5, 3))):
        assert [ranks.tolist() for ranks in both_ranks(rows, rows, score=score, block=block)] == [[5] * 5] * 2
        assert [ranks.tolist() for ranks in both_ranks(rows, rows, score=score, ties="for")] == [[1] * 5] * 2
        all_right = both_ranks(rows, rows, score=score, x_groups=[0] * 5, y_groups=[0, 0, 0, 0, 1], block=block)
        assert [ranks.tolist() for ranks in all_right] == [[2, 2, 2, 2, 5], [1] * 5]


@pytest.mark.parametrize("d", [3, 40, 333])
@pytest.mark.parametrize("score", SCORES)
def test_copies_of_the_right_answer_tie_wherever_they_stand(score: str, d: int) -> None:
    x, y = pairs(120, d, noise=0.5)
    x, y = x.astype(np.float32), y.astype(np.float32)
    y[60:] = y[:60] * 3
    for block in (13, 50, 2048):
        assert both_ranks(x, y, score=score, block=block)[0].min() >= 2
        assert both_ranks(x, y, score=score, y_groups=np.arange(120) % 60, block=block)[0].min() == 1


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(("lower", "rank"), [(0.7e-6, 2), (1.4e-6, 1)])
def test_a_rival_is_level_to_the_tolerance_of_the_cosine(score: str, lower: float, rank: int) -> None:
    # x_1 = -x_0, so with k = 2 the means of both candidates are 0; that of x_0 is .2, and a ratio is to .1
    y = [[cos, math.sqrt(1 - cos**2)] for cos in (0.2, 0.2 - lower)]
    assert both_ranks([[1, 0], [-1, 0]], y, score=score, k=2)[0][0] == rank


@pytest.mark.parametrize("score", SCORES)
def test_means_below_zero_give_numbers(score: str) -> None:
    x = np.random.default_rng(0).standard_normal((6, 4))
    for y in (-x, np.zeros_like(x)):
        for ranks in both_ranks(x, y, score=score, k=6):
            assert ((ranks >= 1) & (ranks <= 6)).all()
        scores, _ = margin_top_k(x, y, score=score, k=6)
        assert np.isfinite(scores).all()
    # of a mean of 0 or less the ratio counts it as 1e-6, and rises with the cosine
    scores, rows = margin_top_k([[1.0, 0.0]], [[-1.0, 0.1], [-1.0, 0.0]], score="ratio", k=2)
    assert rows.tolist() == [[0, 1]]
    assert scores[0].tolist() == pytest.approx([-1 / math.sqrt(1.01) / 1e-6, -1 / 1e-6])


def test_no_rows_and_one() -> None:
    nothing = np.empty((0, 3))
    for score in SCORES:
        assert [ranks.tolist() for ranks in both_ranks(nothing, nothing, score=score)] == [[], []]
        assert [ranks.tolist() for ranks in both_ranks([[1, 2]], [[-1, 2]], score=score)] == [[1], [1]]
        scores, rows = margin_top_k(np.empty((0, 2)), [[1, 2]], score=score)
        assert scores.shape == rows.shape == (0, 1)
        assert margin_top_k([[1, 2]], np.empty((0, 2)), score=score)[1].shape == (1, 0)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("n", "m", "k"), [(1, 1, 4), (4, 9, 2), (9, 4, 4), (23, 40, 4), (12, 12, 30)])
@pytest.mark.parametrize("score", SCORES)
def test_mined_candidates_match_the_definition(score: str, n: int, m: int, k: int, block: int) -> None:
    x, y = pairs(n, common=1.5)[0], pairs(m, common=1.5, seed=1)[0]
    scores, rows = margin_top_k(x, y, score=score, k=k, block=block)
    cosines, r_x, r_y = all_cosines(x, y, k)
    for i in range(n):
        nearest = sorted(range(m), key=lambda j: -cosines[i][j])[:k]
        wanted = {j: score_of(cosines[i][j], r_x[i], r_y[j], score) for j in nearest}
        order = sorted(nearest, key=lambda j: -wanted[j])
        assert rows[i].tolist() == order
        assert scores[i] == pytest.approx([wanted[j] for j in order], abs=2e-6, rel=2e-6)


@pytest.mark.parametrize("score", SCORES)
def test_margins_of_both_sides_are_those_mined_one_way(score: str) -> None:
    x, y = pairs(23, common=1.5)[0], pairs(40, common=1.5, seed=1)[0]
    near = exact_neighbours(x, y, k=4)
    both = margins(*near, score=score)
    for found, scores, sides in zip(near, both, ((x, y), (y, x)), strict=True):
        wanted, rows = margin_top_k(*sides, score=score)
        order = np.argsort(-scores, axis=1, kind="stable")
        assert (np.take_along_axis(found.rows, order, axis=1) == rows).all()
        np.testing.assert_allclose(np.take_along_axis(scores, order, axis=1), wanted, atol=5e-6, rtol=5e-6)
    # a pair that is near both ways has one score
    there, back = (
        {(i, j): s for i, row in enumerate(n.rows.tolist()) for j, s in zip(row, v[i], strict=True)}
        for n, v in zip(near, both, strict=True)
    )
    shared = [pair for pair in there if pair[::-1] in back]
    assert len(shared) > 20 and all(there[pair] == back[pair[::-1]] for pair in shared)


def test_margins_by_hand_and_refusals() -> None:
    there = Neighbours(np.array([[0.8, 0.4]], np.float32), np.array([[1, 0]]))
    back = Neighbours(np.array([[0.4], [0.8]], np.float32), np.array([[0], [0]]))
    # r_x .6, r_y .4 and .8: .8 / .7, .4 / .5
    assert margins(there, back)[0][0] == pytest.approx([0.8 / 0.7, 0.4 / 0.5])
    assert margins(there, back, score="csls")[1][:, 0] == pytest.approx([0.8 - 1.0, 1.6 - 1.4])
    assert there.cosines.tolist() == [[pytest.approx(0.8), pytest.approx(0.4)]]  # left as they were
    with pytest.raises(InputError, match="unknown score 'dot'"):
        margins(there, back, score="dot")


def test_of_equal_candidates_the_lower_row_comes_first() -> None:
    y = np.array([[3.0, 4.0]]) * np.linspace(0.5, 2, 50)[:, None]
    for score in SCORES:
        for block in (7, 2048):
            assert (margin_top_k([[1, 0], [0, 1]], y, score=score, block=block)[1] == [0, 1, 2, 3]).all()


@pytest.mark.parametrize("block", [100, 2048])
def test_equal_to_faiss_on_the_same_data(block: int) -> None:
    faiss = pytest.importorskip("faiss")
    x, y = pairs(700, d=32, noise=0.9, common=0.3)
    x, y = (np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32) for rows in (x, y))

    def search(queries: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        index = faiss.IndexFlatIP(rows.shape[1])
        index.add(rows)
        return index.search(queries, k)

    (there, near), (back, _) = search(x, y, 4), search(y, x, 4)
    assert (near == top_k(x, y, 4)[1]).all()
    mean = (there.mean(axis=1, keepdims=True) + back.mean(axis=1)[near]) / 2
    for score, wanted in {"cosine": there, "ratio": there / mean, "distance": there - mean}.items():
        scores, rows = margin_top_k(x, y, score=score, block=block)
        order = np.argsort(-wanted, axis=1)
        assert (rows == np.take_along_axis(near, order, axis=1)).all()
        np.testing.assert_allclose(scores, np.take_along_axis(wanted, order, axis=1), atol=2e-6)
    first = near[:, 0] == np.arange(700)
    assert ((both_ranks(x, y, block=block)[0] == 1) == first).all() and 0.3 < first.mean() < 0.97
    every, columns = search(x, y, 700)  # all products, so that the best of all candidates is known
    ratio = np.empty((700, 700), np.float32)
    np.put_along_axis(ratio, columns, every, axis=1)
    ratio /= (there.mean(axis=1)[:, None] + back.mean(axis=1)) / 2
    of_x, of_y = both_ranks(x, y, score="ratio", block=block)
    assert ((of_x == 1) == (ratio.argmax(axis=1) == np.arange(700))).all()
    assert ((of_y == 1) == (ratio.argmax(axis=0) == np.arange(700))).all()


def test_csls_of_mined_candidates_is_csls_top_k() -> None:
    x, y = pairs(30, common=0.4)
    scores, rows = margin_top_k(x, y, score="csls", k=30)
    from align.similarity.csls import neighbourhood_means

    r_x, r_y = neighbourhood_means(x, y, k=30)
    wanted, places = csls_top_k(x, y, 30, query_means=r_x, candidate_means=r_y)
    assert (rows == places).all()
    np.testing.assert_allclose(scores, wanted, atol=2e-6)


def test_memory_is_bounded_by_the_block() -> None:
    x, y = (rows.astype(np.float32) for rows in pairs(3000, d=8))
    peaks = []
    for block in (128, 3000):
        tracemalloc.start()
        both_ranks(x, y, score="ratio", block=block)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < 4e6 < 36e6 < peaks[1]  # a matrix of all scores is 36 MB


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score": "euclid"}, "unknown score 'euclid': expected one of cosine, csls, ratio, distance"),
        ({"score": "ratio", "k": 0}, "k must be at least 1, got 0"),
        ({"ties": "mean"}, "ties is 'mean': expected one of against, for"),
        ({"block": 0}, "block must be at least 1 row, got 0"),
        ({"y": [[1, 2]]}, "x has 2 rows, y has 1: expected row i of y to answer row i of x"),
        ({"y": [[1], [2]]}, "queries have 2 dimensions, candidates 1"),
        ({"x": [[1, math.nan], [1, 2]], "block": 1}, "row 0 holds NaN or Inf"),
        ({"y": [[1, 2], [math.inf, 2]], "block": 1}, "row 1 holds NaN or Inf"),
        ({"x_groups": [1]}, r"x_groups have shape \(1,\) of int64: expected an integer for each of 2 rows"),
        ({"y_groups": ["a", "b"]}, "y_groups have shape .* expected an integer"),
    ],
)
def test_bad_input_is_refused(options: dict, message: str) -> None:
    given = {"x": [[1, 2], [3, 4]], "y": [[1, 2], [3, 4]]} | options
    with pytest.raises(InputError, match=message):
        both_ranks(given.pop("x"), given.pop("y"), **given)


def test_mining_refuses_bad_input() -> None:
    with pytest.raises(InputError, match="unknown score"):
        margin_top_k([[1]], [[1]], score="cos")
    with pytest.raises(InputError, match="k must be at least 1, got 0"):
        margin_top_k([[1]], [[1]], k=0)
    with pytest.raises(InputError, match="dimensions"):
        margin_top_k([[1]], [[1, 2]])
