from __future__ import annotations

import random

import pytest

from align.errors import InputError
from align.pairs import PairShare
from align.pairs.filters.shares import language_pair_quotas, pair_name


def by_definition(available, share):
    """One pair at a time to whoever is furthest below its quota: fills up the full ones and shares the rest."""
    left = {name: min(n, share.cap or n) for name, n in available.items() if n}
    weights = {name: n**share.temperature for name, n in left.items()}
    taken = dict.fromkeys(left, 0)
    for _ in range(min(share.rows, sum(left.values()))):
        open_ones = [name for name in left if taken[name] < left[name]]
        name = min(open_ones, key=lambda name: (taken[name] + 0.5) / weights[name])
        taken[name] += 1
    return taken


def test_by_hand():
    assert language_pair_quotas({"a": 8100, "b": 100}, PairShare(1000)) == {"a": 900, "b": 100}
    assert language_pair_quotas({"a": 8100, "b": 100}, PairShare(82, 1.0)) == {"a": 81, "b": 1}
    assert language_pair_quotas({"a": 8100, "b": 100}, PairShare(82, 0.0)) == {"a": 41, "b": 41}
    assert language_pair_quotas({"a": 81, "b": 4, "c": 1}, PairShare(8)) == {"a": 6, "b": 1, "c": 1}  # 6, 4/3, 2/3
    assert language_pair_quotas({"a": 50, "b": 1, "c": 50}, PairShare(5, 0.0)) == {"a": 2, "b": 1, "c": 2}
    # b has 4 of its quota of 10, the other 6 go to a and c
    assert language_pair_quotas({"a": 50, "b": 4, "c": 50}, PairShare(30, 0.0)) == {"a": 13, "b": 4, "c": 13}


@pytest.mark.parametrize("seed", range(20))
def test_quotas_against_a_greedy_loop(seed):
    generator = random.Random(seed)
    available = {str(i): generator.randrange(0, 400) for i in range(generator.randrange(1, 9))}
    share = PairShare(
        generator.randrange(1, 1500), generator.choice([0, 0.3, 0.5, 1]), generator.choice([None, 30, 200])
    )
    got, expected = language_pair_quotas(available, share), by_definition(available, share)
    assert sum(got.values()) == sum(expected.values())
    assert got.keys() == expected.keys()
    for name in got:
        assert got[name] <= available[name] and abs(got[name] - expected[name]) <= 2


@pytest.mark.parametrize(
    ("available", "share", "expected"),
    [
        ({}, PairShare(5), {}),
        ({"a": 0}, PairShare(5), {}),
        ({"a": 3, "b": 2}, PairShare(), {"a": 3, "b": 2}),
        ({"a": 3, "b": 2}, PairShare(cap=2), {"a": 2, "b": 2}),
        ({"a": 3, "b": 2}, PairShare(9), {"a": 3, "b": 2}),
        ({"a": 3, "b": 3, "c": 3}, PairShare(1), {"a": 1, "b": 0, "c": 0}),
        ({"c": 3, "b": 3}, PairShare(3), {"b": 2, "c": 1}),
    ],
)
def test_degenerate_sizes(available, share, expected):
    assert language_pair_quotas(available, share) == expected


def test_language_pairs_are_unordered():
    assert pair_name("eng_Latn", "deu_Latn") == pair_name("deu_Latn", "eng_Latn") == "deu_Latn-eng_Latn"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, r"temperature must lie in \[0, 1\], got -0.1"),
        ({"temperature": float("nan")}, "temperature must lie in"),
        ({"rows": 0}, "rows must be at least 1, got 0"),
        ({"cap": 0}, "cap must be at least 1, got 0"),
        ({"seed": -1}, "seed must not be negative, got -1"),
    ],
)
def test_bad_shares(options, message):
    with pytest.raises(InputError, match=message):
        PairShare(**options)
