from __future__ import annotations

import math

import numpy as np
import pytest

from align.errors import InputError
from align.similarity.cosine import TIE_TOLERANCE, normalize
from align.similarity.nearest import top_k
from align.similarity.ranks import gold_ranks


def rows(n: int, d: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


def ranks_by_definition(queries: np.ndarray, candidates: np.ndarray, gold: list[int]) -> list[int]:
    ranks = []
    for query, right in zip(queries, gold, strict=True):
        bar = cosine(query, candidates[right])
        ahead = [j for j, c in enumerate(candidates) if j != right and cosine(query, c) >= bar - TIE_TOLERANCE]
        ranks.append(1 + len(ahead))
    return ranks


@pytest.mark.parametrize("block", [1, 3, 7, 2048])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 5), (6, 20)])
def test_ranks_match_the_definition(n: int, m: int, block: int) -> None:
    queries, candidates = rows(n, seed=1), rows(m, seed=2)
    gold = [int(g) for g in np.random.default_rng(3).permutation(m)[:n]]
    expected = ranks_by_definition(queries, candidates, gold)
    assert gold_ranks(queries, candidates, gold, block=block).tolist() == expected
    own = ranks_by_definition(queries, candidates, list(range(n)))
    assert gold_ranks(queries, candidates, block=block).tolist() == own


def test_ranks_by_hand() -> None:
    candidates = [[1, 0], [0, 1], [1, 1]]
    # cosines of (2, 1): .894, .447, .949; of (0, 3): 0, 1, .707
    assert gold_ranks([[2, 1], [0, 3]], candidates).tolist() == [2, 1]
    assert gold_ranks([[2, 1], [0, 3]], candidates, [1, 0]).tolist() == [3, 3]


def test_ties_count_against_the_model() -> None:
    same = np.tile(rows(1), (6, 1))
    assert gold_ranks(same, same, block=4).tolist() == [6] * 6
    assert gold_ranks(same[:1], same[:1]).tolist() == [1]
    base = rows(4, seed=5)
    copied = np.concatenate([base, base[[2]]])  # a copy of the right answer of query 2 is ahead of it
    assert gold_ranks(base, copied).tolist() == [1, 1, 2, 1]
    assert gold_ranks(base, np.concatenate([base[[2]], base]), [1, 2, 3, 4]).tolist() == [1, 1, 2, 1]


def test_scaled_copies_tie_and_anything_beyond_the_tolerance_does_not() -> None:
    assert gold_ranks([[1.0, 0.0]], [[1.0, 1.0], [1e5, 1e5], [1e-20, 1e-20]]).tolist() == [3]
    angle = math.pi / 4
    nearby = [[math.cos(angle + t), math.sin(angle + t)] for t in (0.0, 1e-5, 3e-7)]  # cosines .7071 - .7071 t
    assert gold_ranks([[1.0, 0.0]], nearby).tolist() == [2]


def test_a_row_of_zeros_ties_with_all() -> None:
    candidates = rows(4)
    assert gold_ranks(np.zeros((1, 8)), candidates).tolist() == [4]
    assert gold_ranks(candidates, np.zeros((4, 8))).tolist() == [4] * 4


@pytest.mark.parametrize("d", [1, 8, 333])
def test_equal_rows_score_equal_wherever_they_stand(d: int) -> None:
    candidates = np.tile(rows(1, d, seed=1), (101, 1)).astype(np.float32)
    queries = rows(7, d, seed=2)
    for block in (1, 10, 2048):
        assert (gold_ranks(queries, candidates, np.arange(7) * 13, block=block) == 101).all()
        scores, ids = top_k(queries, candidates, 5, block=block)
        assert (ids == np.arange(5)).all()
        assert (scores == scores[:, :1]).all()


def test_permuting_the_candidates_permutes_the_answers() -> None:
    queries, candidates = rows(9, seed=1), rows(15, seed=2)
    order = np.random.default_rng(0).permutation(15)
    where = np.argsort(order)  # candidate j now stands at where[j]
    assert (gold_ranks(queries, candidates[order], where[:9]) == gold_ranks(queries, candidates)).all()
    assert (where[top_k(queries, candidates, 4)[1]] == top_k(queries, candidates[order], 4)[1]).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_types_agree_and_the_input_is_left_alone(dtype: type) -> None:
    queries, candidates = rows(9, seed=1).astype(dtype), rows(15, seed=2).astype(dtype)
    before = candidates.copy()
    wide = gold_ranks(queries.astype(np.float64), candidates.astype(np.float64))
    assert (gold_ranks(queries, candidates) == wide).all()
    assert top_k(queries, candidates, 3)[0].dtype == normalize(queries).dtype == np.float32
    normalize(candidates)
    assert (candidates == before).all()


def test_normalize() -> None:
    assert normalize([[3, 4], [0, 0]]).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]
    assert normalize([[3e30, 4e30], [3e-30, 4e-30]]).ravel() == pytest.approx([0.6, 0.8, 0.6, 0.8])
    assert normalize([[-3e30, -4e30]]).ravel() == pytest.approx([-0.6, -0.8])
    assert normalize(np.empty((0, 4))).shape == (0, 4)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_rows_that_are_not_finite_are_named(bad: float) -> None:
    x = rows(7)
    x[5, 2] = bad
    with pytest.raises(InputError, match="row 5 holds NaN or Inf"):
        normalize(x)
    with pytest.raises(InputError, match="row 5 holds NaN or Inf"):
        top_k(rows(2), x, 1, block=2)  # the row's number, not the one in its block


def top_k_by_definition(queries: np.ndarray, candidates: np.ndarray, k: int) -> list[list[int]]:
    return [sorted(range(len(candidates)), key=lambda j: (-round(cosine(q, candidates[j]), 6), j))[:k] for q in queries]


@pytest.mark.parametrize("block", [1, 4, 2048])
@pytest.mark.parametrize("k", [1, 3, 11, 50])
def test_top_k_matches_the_definition(k: int, block: int) -> None:
    queries, candidates = rows(5, seed=1), rows(11, seed=2)
    candidates[[7, 9]] = candidates[2]  # ties go to the lower row
    scores, ids = top_k(queries, candidates, k, block=block)
    assert ids.tolist() == top_k_by_definition(queries, candidates, k)
    expected = [[cosine(q, candidates[j]) for j in line] for q, line in zip(queries, ids, strict=True)]
    assert scores == pytest.approx(np.array(expected), abs=1e-6)
    assert scores.shape == ids.shape == (5, min(k, 11))
    assert scores.min() < 0 or k < 11  # negative scores are ordered too


def test_blocks_do_not_change_a_bit() -> None:
    queries, candidates = rows(50, 24, seed=1), rows(300, 24, seed=2)
    whole = top_k(queries, candidates, 7)
    for block in (1, 17, 64):
        part = top_k(queries, candidates, 7, block=block)
        assert (part[1] == whole[1]).all()
        assert part[0] == pytest.approx(whole[0], abs=1.1e-6)  # one step of rounding


def test_top_k_of_nothing() -> None:
    assert top_k(rows(3), np.empty((0, 8)), 5)[1].shape == (3, 0)
    assert top_k(np.empty((0, 8)), rows(3), 2)[0].shape == (0, 2)
    assert gold_ranks(np.empty((0, 8)), rows(3)).shape == (0,)


def test_agrees_with_an_argsort_in_torch() -> None:
    torch = pytest.importorskip("torch")
    queries, candidates = rows(40, 16, seed=1), rows(40, 16, seed=2)
    q, c = (torch.nn.functional.normalize(torch.from_numpy(x), dim=1) for x in (queries, candidates))
    order = (q @ c.T).argsort(dim=1, descending=True)
    ranks = (order == torch.arange(40)[:, None]).nonzero()[:, 1] + 1
    assert gold_ranks(queries, candidates).tolist() == ranks.tolist()
    assert top_k(queries, candidates, 10)[1].tolist() == order[:, :10].tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: top_k(rows(2), rows(2), 0), "k must be at least 1, got 0"),
        (lambda: top_k(rows(2), rows(2), 1, block=0), "block must be at least 1 row, got 0"),
        (lambda: top_k(rows(2, 3), rows(2, 4), 1), "queries have 3 dimensions, candidates 4"),
        (lambda: gold_ranks(rows(2, 3), rows(2, 4)), "queries have 3 dimensions, candidates 4"),
        (lambda: gold_ranks(rows(3), rows(2)), "3 queries but 2 candidates"),
        (lambda: gold_ranks(rows(2), rows(2), [0, 2]), "gold names rows 0 to 2: expected 0 to 1"),
        (lambda: gold_ranks(rows(2), rows(2), [-1, 0]), "gold names rows -1 to 0"),
        (lambda: gold_ranks(rows(2), rows(2), [0]), r"gold has shape \(1,\).*each of 2 queries"),
        (lambda: gold_ranks(rows(2), rows(2), [0.0, 1.0]), "of float64"),
        (lambda: normalize([1.0, 2.0]), r"rows, dimensions\), got shape \(2,\)"),
        (lambda: normalize([["a"]]), "matrix of numbers"),
        (lambda: normalize([[1.0], [1.0, 2.0]]), "expected a matrix"),
    ],
)
def test_errors_say_what_was_expected(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
