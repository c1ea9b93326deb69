from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from align.errors import InputError
from align.similarity.cosine import TIE_TOLERANCE
from align.similarity.csls import csls_top_k, neighbourhood_means
from align.similarity.nearest import top_k
from align.similarity.ranks import best_gold_ranks

BLOCKS = [1, 3, 7, 2048]
SIZES = [(1, 1), (1, 9), (6, 5), (23, 40)]


def rows(n: int, d: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


def means_by_definition(x: np.ndarray, y: np.ndarray, k: int) -> list[float]:
    means = []
    for a in x:
        nearest = sorted((cosine(a, b) for b in y), reverse=True)[:k]
        means.append(sum(nearest) / len(nearest))
    return means


def ranks_by_definition(queries, candidates, golds, means, ties, mask) -> list[float]:
    ranks = []
    for query, right in zip(queries, golds, strict=True):
        score = {j: cosine(query, c) - means[j] / 2 for j, c in enumerate(candidates) if mask[j]}
        best = max(score[g] for g in right if mask[g])
        rivals = [s for j, s in score.items() if j not in right]
        over = sum(s > best + TIE_TOLERANCE for s in rivals)
        level = sum(abs(s - best) <= TIE_TOLERANCE for s in rivals)
        ranks.append(1 + over + {"against": level, "for": 0, "mean": level / 2}[ties])
    return ranks


def uneven_golds(n: int, m: int) -> list[list[int]]:
    rng = np.random.default_rng(7)
    return [rng.choice(m, size=min(m, 1 + i % 3), replace=False).tolist() for i in range(n)]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("k", [1, 4, 10, 100])
def test_means_match_the_definition(n: int, m: int, k: int, block: int) -> None:
    x, y = rows(n, seed=1), rows(m, seed=2)
    of_x, of_y = neighbourhood_means(x, y, k=k, block=block)
    assert of_x.dtype == of_y.dtype == np.float32
    np.testing.assert_allclose(of_x, means_by_definition(x, y, k), atol=1e-6)
    np.testing.assert_allclose(of_y, means_by_definition(y, x, k), atol=1e-6)


@pytest.mark.parametrize("block", [64, 100, 512])
def test_means_of_many_tiles(block: int) -> None:  # tiles wide enough to be cut in groups, several of them
    x, y = rows(300, seed=1), rows(431, seed=2)
    cosines = x @ y.T / np.linalg.norm(x, axis=1)[:, None] / np.linalg.norm(y, axis=1)
    of_x, of_y = neighbourhood_means(x, y, block=block)
    np.testing.assert_allclose(of_x, np.sort(cosines, axis=1)[:, -10:].mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(of_y, np.sort(cosines, axis=0)[-10:].mean(axis=0), atol=1e-6)


def test_means_by_hand() -> None:
    of_x, of_y = neighbourhood_means([[1, 0]], [[2, 0], [0, 1], [3, 4]], k=2)  # cosines 1, 0, .6
    assert of_x == pytest.approx([0.8])
    assert of_y == pytest.approx([1, 0, 0.6], abs=1e-6)


@pytest.mark.parametrize("block", [5, 50])
def test_every_copy_of_a_neighbour_counts(block: int) -> None:
    x = np.tile(rows(1), (120, 1))
    assert neighbourhood_means(x[:3], x, block=block)[0] == pytest.approx([1] * 3)
    assert neighbourhood_means(-x[:3], x, block=block)[1] == pytest.approx([-1] * 120)


def test_rows_in_the_worst_order() -> None:  # every tile is nearer than all before it
    angles = np.linspace(1.5, 0, 200)
    y = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for block in (30, 80):
        assert neighbourhood_means([[1, 0]], y, block=block)[0] == pytest.approx(np.cos(angles)[-10:].mean(), abs=1e-6)
        assert csls_top_k([[1, 0]], y, 3, block=block)[1].tolist() == [[199, 198, 197]]


def test_means_of_nothing_are_zero() -> None:
    of_x, of_y = neighbourhood_means(rows(2), np.empty((0, 6)))
    assert of_x.tolist() == [0, 0]
    assert of_y.shape == (0,)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("k", [1, 5, 100])
def test_top_matches_the_definition(n: int, m: int, k: int, block: int) -> None:
    x, y = rows(n, seed=3), rows(m, seed=4)
    of_x, of_y = means_by_definition(x, y, 3), means_by_definition(y, x, 3)
    scores, places = csls_top_k(x, y, k, query_means=of_x, candidate_means=of_y, block=block)
    for i in range(n):
        wanted = {j: 2 * cosine(x[i], y[j]) - of_x[i] - of_y[j] for j in range(m)}
        order = sorted(wanted, key=lambda j: -wanted[j])[:k]
        assert places[i].tolist() == order
        assert scores[i] == pytest.approx([wanted[j] for j in order], abs=2e-6)


def test_top_by_hand() -> None:
    candidates = [[1, 0], [3, 4]]  # cosines 1, .6, but the first is a hub: 2 - .5 - .9 and 1.2 - .5
    scores, places = csls_top_k([[1, 0]], candidates, 2, query_means=[0.5], candidate_means=[0.9, 0.0])
    assert places.tolist() == [[1, 0]]
    assert scores[0] == pytest.approx([0.7, 0.6])


@pytest.mark.parametrize("block", [4, 64, 2048])
def test_top_without_means_is_that_of_the_cosine(block: int) -> None:
    x, y = rows(30, seed=5), np.tile(rows(100, seed=6), (2, 1))
    for mine, cosines in zip(csls_top_k(x, y, 7, block=block), top_k(x, y, 7), strict=True):
        assert (mine == cosines).all()
    only_one = csls_top_k(x, y, 7, query_means=np.zeros(30), block=block)
    assert only_one[0] == pytest.approx(2 * top_k(x, y, 7)[0], abs=2e-6)


@pytest.mark.parametrize("block", [3, 60, 2048])
def test_of_equal_scores_the_lower_row_comes_first(block: int) -> None:
    y = np.array([[3, 4]]) * np.linspace(0.5, 2, 150)[:, None]
    means = np.full(150, 0.25)
    means[77] = 0.2
    scores, places = csls_top_k([[1, 0], [0, 1], [0, 0]], y, 4, candidate_means=means, block=block)
    assert (places == [77, 0, 1, 2]).all()
    np.testing.assert_allclose(scores, [[1, *[0.95] * 3], [1.4, *[1.35] * 3], [-0.2, *[-0.25] * 3]], atol=1e-6)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("ties", ["against", "for", "mean"])
@pytest.mark.parametrize("hubs", [True, False])
def test_ranks_match_the_definition(n: int, m: int, ties: str, hubs: bool, block: int) -> None:
    queries, candidates = rows(n, seed=1), rows(m, seed=2)
    candidates[m // 2 :] = candidates[: m - m // 2]  # every candidate twice
    means = np.tile(np.linspace(-0.2, 0.6, m // 2 + 1), 2)[:m] if hubs else np.zeros(m)
    golds, mask = uneven_golds(n, m), np.arange(m) % 4 != 1
    mask[[right[0] for right in golds]] = True
    options = {"candidate_means": means if hubs else None, "ties": ties, "block": block}
    for there in (None, mask):
        wanted = ranks_by_definition(queries, candidates, golds, means, ties, np.ones(m) if there is None else there)
        ranks = best_gold_ranks(queries, candidates, golds, mask=there, **options)
        assert ranks.dtype == (np.float64 if ties == "mean" else np.int64)
        assert ranks.tolist() == wanted


def test_ranks_by_hand() -> None:
    candidates = [[1, 0], [0, 1], [1, 1]]  # cosines of (2, 1): .894, .447, .949
    assert best_gold_ranks([[2, 1]], candidates, [[1]]).tolist() == [3]
    assert best_gold_ranks([[2, 1]], candidates, [[1, 0]]).tolist() == [2]
    assert best_gold_ranks([[2, 1]], candidates, [[1, 0, 2]]).tolist() == [1]
    assert best_gold_ranks([[2, 1]], candidates, [[0]], candidate_means=[0.2, 0, 0.4]).tolist() == [1]  # .794, .749
    assert best_gold_ranks([[2, 1]], candidates, [[0, 2]], mask=[True, True, False]).tolist() == [1]
    assert best_gold_ranks([[2, 1]], candidates, [[1, 2]], mask=[True, True, False]).tolist() == [2]


@pytest.mark.parametrize("block", [2, 2048])
def test_ties(block: int) -> None:
    same = np.tile(rows(1), (6, 1))
    ranks = {t: best_gold_ranks(same, same, [[i] for i in range(6)], ties=t, block=block) for t in ("against", "for")}
    assert ranks["against"].tolist() == [6] * 6
    assert ranks["for"].tolist() == [1] * 6
    assert best_gold_ranks(same[:1], same, [[3, 0]], ties="mean", block=block).tolist() == [1 + 4 / 2]
    zeros = np.zeros((1, 6))
    assert best_gold_ranks(zeros, rows(4), [[2]], block=block).tolist() == [4]


def test_half_a_mean_is_what_moves_a_candidate() -> None:
    for mean, rank in ((0.39, 2), (0.41, 1)):  # cosines .8 and .6: the first loses more than .2 with a mean above .4
        assert best_gold_ranks([[1, 0]], [[4, 3], [3, 4]], [[1]], candidate_means=[mean, 0]).tolist() == [rank]
        assert csls_top_k([[1, 0]], [[4, 3], [3, 4]], 1, candidate_means=[mean, 0])[1].tolist() == [[2 - rank]]


def test_ranks_place_the_gold_where_the_top_has_it() -> None:
    x, y = rows(40, seed=8), rows(90, seed=9)
    of_x, of_y = neighbourhood_means(x, y)
    golds = [[i] for i in range(40)]
    ranks = best_gold_ranks(x, y, golds, candidate_means=of_y, block=16)
    _, places = csls_top_k(x, y, 90, query_means=of_x, candidate_means=of_y, block=32)
    assert ranks.tolist() == [1 + places[i].tolist().index(i) for i in range(40)]


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_both_sides_may_be_mapped_from_disk(tmp_path: Path, dtype: type) -> None:
    x, y = rows(20, seed=1).astype(dtype), rows(30, seed=2).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy"]
    golds = uneven_golds(20, 30)
    assert best_gold_ranks(*mapped, golds, block=7).tolist() == best_gold_ranks(x, y, golds).tolist()
    for side, other in zip(neighbourhood_means(*mapped, block=7), neighbourhood_means(x, y), strict=True):
        assert side == pytest.approx(other, abs=1e-6)
    assert (csls_top_k(*mapped, 4, block=7)[1] == csls_top_k(x, y, 4)[1]).all()


def test_zero_queries() -> None:
    nothing = np.empty((0, 6))
    assert best_gold_ranks(nothing, rows(3), []).shape == (0,)
    assert csls_top_k(nothing, rows(3), 2)[1].shape == (0, 2)
    assert csls_top_k(rows(3), nothing, 2)[0].shape == (3, 0)
    assert neighbourhood_means(nothing, rows(3))[1].tolist() == [0, 0, 0]


def test_means_equal_those_of_faiss() -> None:
    faiss = pytest.importorskip("faiss")
    x, y = rows(500, 40, seed=1).astype(np.float32), rows(700, 40, seed=2).astype(np.float32)
    units = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y)]
    for mine, queries, others in zip(neighbourhood_means(x, y, block=256), units, units[::-1], strict=True):
        index = faiss.IndexFlatIP(40)
        index.add(others)
        np.testing.assert_allclose(mine, index.search(queries, 10)[0].mean(axis=1), atol=1e-6)


def broken(n: int, row: int, value: float = np.nan) -> np.ndarray:
    bad = rows(n)
    bad[row, 1] = value
    return bad


REFUSED = {
    "k must be at least 1, got 0": lambda: neighbourhood_means(rows(2), rows(2), k=0),
    "k must be at least 1, got -1": lambda: csls_top_k(rows(2), rows(2), -1),
    "block must be at least 1 row, got 0": lambda: neighbourhood_means(rows(2), rows(2), block=0),
    "block must be at least 1 row, got -3": lambda: best_gold_ranks(rows(1), rows(2), [[0]], block=-3),
    "queries have 6 dimensions, candidates 5: expected the same number": lambda: neighbourhood_means(
        rows(2), rows(2, 5)
    ),
    "queries have 6 dimensions, candidates 4: expected the same number": lambda: csls_top_k(rows(2), rows(2, 4), 1),
    "queries have 6 dimensions, candidates 3: expected the same number": lambda: best_gold_ranks(
        rows(2), rows(2, 3), [[0], [1]]
    ),
    "row 4 holds NaN or Inf as float32; expected finite numbers": lambda: neighbourhood_means(
        rows(2), broken(9, 4), block=3
    ),
    "row 5 holds NaN or Inf as float32; expected finite numbers": lambda: neighbourhood_means(
        broken(9, 5, -np.inf), rows(2), block=3
    ),
    "row 3 holds NaN or Inf as float32; expected finite numbers": lambda: csls_top_k(
        broken(4, 3, np.inf), rows(2), 1, block=2
    ),
    "row 7 holds NaN or Inf as float32; expected finite numbers": lambda: best_gold_ranks(
        rows(2), broken(9, 7), [[1], [7]]
    ),
    "row 1 holds NaN or Inf as float32; expected finite numbers": lambda: best_gold_ranks(
        broken(2, 1), rows(9), [[1], [7]]
    ),
    "golds of 1 queries: expected the gold rows of each of 2 queries": lambda: best_gold_ranks(rows(2), rows(3), [[0]]),
    "golds hold float64: expected row numbers of candidates": lambda: best_gold_ranks(rows(1), rows(3), [[0.5]]),
    "golds name rows -1 to 2: expected 0 to 2": lambda: best_gold_ranks(rows(1), rows(3), [[-1, 2]]),
    "golds name rows 0 to 3: expected 0 to 2": lambda: best_gold_ranks(rows(1), rows(3), [[3, 0]]),
    "1 of 2 queries have no gold among the candidates that count, the first is query 1: expected at least one gold "
    "each": lambda: best_gold_ranks(rows(2), rows(3), [[0], []]),
    "2 of 3 queries have no gold among the candidates that count, the first is query 0: expected at least one gold "
    "each": lambda: best_gold_ranks(rows(3), rows(3), [[0], [0, 2], [0]], mask=[False, True, True]),
    "1 of 1 queries have no gold among the candidates that count, the first is query 0: expected at least one gold "
    "each": lambda: best_gold_ranks(rows(1), rows(3), [[]]),
    "ties is 'best': expected one of against, for, mean": lambda: best_gold_ranks(rows(1), rows(3), [[0]], ties="best"),
    "mask has shape (2,) of bool: expected True or False for each of 3 candidates": lambda: best_gold_ranks(
        rows(1), rows(3), [[0]], mask=[True, False]
    ),
    "mask has shape (3,) of int64: expected True or False for each of 3 candidates": lambda: best_gold_ranks(
        rows(1), rows(3), [[0]], mask=[1, 0, 1]
    ),
    "candidate means have shape (2,) of float64: expected a number for each of 3 rows": lambda: best_gold_ranks(
        rows(1), rows(3), [[0]], candidate_means=[0.0, 0.1]
    ),
    "query means have shape (3,) of float64: expected a number for each of 1 rows": lambda: csls_top_k(
        rows(1), rows(3), 1, query_means=[0.0, 0.1, 0.2]
    ),
    "candidate mean 1 is nan: expected the mean of cosines, from -1 to 1": lambda: csls_top_k(
        rows(1), rows(3), 1, candidate_means=[0.0, np.nan, 0.2]
    ),
    "query mean 0 is 10.0: expected the mean of cosines, from -1 to 1": lambda: csls_top_k(
        rows(1), rows(3), 1, query_means=[10.0]
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message: str) -> None:
    with pytest.raises(InputError) as error:
        REFUSED[message]()
    assert str(error.value) == message
