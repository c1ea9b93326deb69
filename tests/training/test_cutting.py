from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from align.training.cutting import Limit, apart, deal, occurrence


def bounds_by_loop(costs, *, rows, tokens, processes):
    """One turn after the other, every process with its own sum."""
    bounds, sums, turns = [0], [0] * processes, 0
    for start in range(0, len(costs) // processes * processes, processes):
        more = [total + int(cost) for total, cost in zip(sums, costs[start : start + processes], strict=True)]
        if turns and (max(more) > tokens or turns == rows):
            bounds.append(start)
            more, turns = [int(cost) for cost in costs[start : start + processes]], 0
        sums, turns = more, turns + 1
    if turns and (max(sums) >= tokens or turns == rows):
        bounds.append(len(costs) // processes * processes)
    return bounds


def fill_by_loop(rows, groups, size):
    """First fit: each row goes to the first open batch that lacks its group."""
    open_batches, full = [], 0
    for group in groups[rows].tolist():
        home = next((batch for batch in open_batches if group not in batch), None)
        if home is None:
            open_batches.append(home := set())
        home.add(group)
        if len(home) == size:
            open_batches.remove(home)
            full += 1
    return full


def check(batches, left, rows, groups, limit):
    """Every row once, in full batches without a group twice."""
    assert sorted(np.concatenate([*batches, left]).tolist()) == sorted(rows.tolist())
    for batch in batches:
        assert len(set(groups[batch].tolist())) == len(batch)
        if limit.costs is None:
            assert len(batch) == limit.rows * limit.processes
        else:
            shares = [batch[rank :: limit.processes] for rank in range(limit.processes)]
            assert len({len(share) for share in shares}) == 1
            assert len(shares[0]) <= limit.rows
            assert len(shares[0]) == 1 or max(limit.costs[share].sum() for share in shares) <= limit.tokens


def some_groups(n, kinds, seed=0):
    """Hashes: neither small nor dense."""
    rng = np.random.default_rng(seed)
    return rng.integers(2**62, 2**63 - 1, max(kinds, 1))[rng.integers(0, max(kinds, 1), n)]


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize(("rows", "tokens"), [(5, 30), (100, 30), (2, 1000), (1, 1), (100, 7), (3, 12)])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 200])
def test_bounds_match_a_loop(n, rows, tokens, processes):
    costs = np.random.default_rng(n).integers(1, 13, n)
    limit = Limit(rows, processes, tokens, costs)
    expected = bounds_by_loop(costs, rows=rows, tokens=tokens, processes=processes)
    assert limit.bounds(np.arange(n)).tolist() == expected


def test_bounds_by_hand():
    costs = np.array([3, 1, 2, 2, 9, 1, 1, 1, 4, 4])
    assert Limit(9, 1, 6, costs).bounds(np.arange(10)).tolist() == [0, 3, 4, 5, 8, 9]  # 3 1 2 | 2 | 9 | 1 1 1 | 4
    assert Limit(2, 1, 6, costs).bounds(np.arange(10)).tolist() == [0, 2, 4, 5, 7, 9]
    assert Limit(9, 2, 6, costs).bounds(np.arange(10)).tolist() == [0, 4, 6]  # 3 2, 1 2 | 9, 1 | 1 4, 1 4
    assert Limit(9, 2, 6, costs).bounds(np.array([4, 0])).tolist() == [0, 2]  # too much, so alone, and full


@pytest.mark.parametrize("n", [0, 1, 8, 9, 50])
@pytest.mark.parametrize("processes", [1, 2])
def test_rows_are_tokens_that_cost_one(n, processes):
    counted = Limit(10**6, processes, 4, np.ones(n, int))
    assert Limit(4, processes).bounds(np.arange(n)).tolist() == counted.bounds(np.arange(n)).tolist()


LIMITS = {
    "pairs": Limit(8), "pairs, 2 processes": Limit(4, 2),
    "tokens": Limit(50, 1, 90, np.random.default_rng(5).integers(1, 31, 1000)),
    "tokens, 3 processes": Limit(50, 3, 60, np.random.default_rng(6).integers(1, 31, 1000)),
}  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("kinds", [1, 3, 8, 9, 12, 60, 10**6])
@pytest.mark.parametrize("n", [0, 1, 7, 1000])
@pytest.mark.parametrize("function", [apart, deal])
def test_full_batches_without_a_group_twice(function, n, kinds, limit):
    groups = some_groups(1000, kinds)
    rows = np.random.default_rng(1).permutation(1000)[:n]
    batches, left = function(rows, groups[rows], limit)
    check(batches, left, rows, groups, limit)
    if n == 1000 and kinds == 10**6 and limit.costs is None:
        assert len(batches) == 1000 // 8  # groups are all different


def test_apart_by_hand():
    rows, groups = np.arange(10, 16), np.array([7, 7, 8, 9, 8, 9])
    batches, left = apart(rows, groups, Limit(2))
    assert [batch.tolist() for batch in batches] == [[10, 12], [13, 14]]  # 11 goes, and all move up
    assert left.tolist() == [11, 15]


def test_apart_takes_out_no_more_than_it_must():
    groups = some_groups(3000, 1000)
    rows = np.arange(3000)
    batches, left = apart(rows, groups, Limit(32))
    kept = np.concatenate(batches)
    assert (np.diff(kept) > 0).all()  # in their order
    assert len(batches) >= 90  # 93 if no group came twice
    for batch, following in zip(batches, [*batches[1:], left], strict=True):
        removed = [row for row in left if batch[0] < row < min(following[0], batch[-1])]
        assert set(groups[removed].tolist()) <= set(groups[np.arange(batch[0], batch[-1])].tolist())


def test_apart_leaves_distinct_groups_as_they_are():
    batches, left = apart(np.arange(20), np.arange(20), Limit(6))
    assert np.array(batches).tolist() == np.arange(18).reshape(3, 6).tolist()
    assert left.tolist() == [18, 19]


def test_apart_is_the_same_whatever_ties_a_sort_leaves(monkeypatch):
    groups, rows, sort = some_groups(500, 40), np.arange(500), np.argsort
    expected = apart(rows, groups, Limit(8))

    def other(values, **options):
        return sort(values, **options) if options else len(values) - 1 - sort(values[::-1], kind="stable")

    monkeypatch.setattr(np, "argsort", other)
    found = apart(rows, groups, Limit(8))
    assert [batch.tolist() for batch in found[0]] == [batch.tolist() for batch in expected[0]]


@pytest.mark.parametrize("size", [1, 2, 5, 8])
@pytest.mark.parametrize("kinds", [1, 4, 8, 9, 30, 1000])
def test_deal_makes_all_batches_that_can_be_made(kinds, size):
    for seed in range(5):
        groups = some_groups(int(np.random.default_rng(seed).integers(1, 150)), kinds, seed)
        rows = np.arange(len(groups))
        batches, left = deal(rows, groups, Limit(size))
        check(batches, left, rows, groups, Limit(size))
        counts, possible = Counter(groups.tolist()).values(), 0
        while sum(min(count, possible + 1) for count in counts) >= size * (possible + 1):
            possible += 1
        assert len(batches) == possible >= fill_by_loop(rows, groups, size)


def test_deal_by_hand():
    groups = np.array([1, 1, 1, 2, 3])  # two batches of two: (1, 2) and (1, 3)
    batches, left = deal(np.arange(5), groups, Limit(2))
    assert sorted(sorted(groups[batch].tolist()) for batch in batches) == [[1, 2], [1, 3]]
    assert left.tolist() == [2]  # the first rows of a group come first


def test_deal_keeps_sorted_rows_with_their_like():
    alone = deal(np.arange(32), np.arange(32)[::-1], Limit(8))[0]
    assert [sorted(batch.tolist()) for batch in alone] == np.arange(32).reshape(4, 8).tolist()
    every = deal(np.arange(32), np.arange(32) % 8, Limit(8))[0]  # four rows of each of eight groups
    assert [sorted(batch.tolist()) for batch in every] == np.arange(32).reshape(4, 8).tolist()
    half = deal(np.arange(64), np.concatenate([np.arange(16)] * 2 + [np.arange(16, 32)] * 2), Limit(8))[0]
    assert len(half) == 8
    home = {row: number for number, batch in enumerate(half) for row in batch.tolist()}
    for row in [*range(16), *range(32, 48)]:
        assert home[row + 16] - home[row] >= 3  # of two rows of a group the first goes to an earlier batch, far away


def test_deal_by_tokens_is_near_the_optimum():
    rng = np.random.default_rng(0)
    costs, groups = rng.integers(1, 60, 3000), some_groups(3000, 300)
    limit = Limit(10**6, 2, 600, costs)
    batches, left = deal(np.arange(3000), groups, limit)
    check(batches, left, np.arange(3000), groups, limit)
    assert len(batches) == pytest.approx(costs.sum() / 1200, abs=0.5)
    assert len(left) < 0.12 * 3000  # what was too much for its batch


def test_deal_makes_a_batch_less_than_half_full_only_if_asked():
    costs, groups = np.array([3, 4, 5, 6]), np.array([1, 1, 2, 3])
    limit = Limit(10**6, 1, 29, costs)  # 3 + 5 + 6 are less than half of it
    assert len(deal(np.arange(4), groups, Limit(10**6, 1, 28, costs))[0]) == 1
    assert deal(np.arange(4), groups, limit)[0] == []
    batches, left = deal(np.arange(4), groups, limit, least=1)
    assert [sorted(batch.tolist()) for batch in batches] == [[0, 2, 3]]
    assert left.tolist() == [1]
    batches, _ = deal(np.arange(4), groups, Limit(10**6, 1, 2, costs), least=1)
    assert all(len(batch) == 1 for batch in batches)  # all of them too long
    assert deal(np.arange(1), groups[:1], limit, least=1)[0] == []  # one row alone
    assert deal(np.arange(4), np.arange(4), Limit(10**6, 3, 100, costs), least=1)[0] == []  # one for each process


def test_occurrence_matches_a_loop():
    groups = some_groups(100, 9)
    seen: dict[int, int] = {}
    expected = []
    for group in groups.tolist():
        expected.append(seen.get(group, 0))
        seen[group] = expected[-1] + 1
    assert occurrence(groups).tolist() == expected
    assert occurrence(groups[:0]).tolist() == []
