from __future__ import annotations

import numpy as np
import pytest

from align.errors import InputError
from align.sampling import BatchStream, budget_batches, draw, epoch_batches, occurrence


def columns(n=500, languages=3, groups=400, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(3, 40, n), rng.integers(0, languages, n), rng.integers(0, groups, n)


def stream(total=30, rank=0, world=1, seed=0, batch_size=16, **options):
    return BatchStream(*columns(), batch_size=batch_size, total=total, seed=seed, rank=rank, world=world, **options)


def rows_of(made):
    return [(number, rows.tolist()) for [(number, rows)] in made]


@pytest.mark.parametrize("n", [0, 1, 2, 57])
def test_budget_batches_hold_every_row_once_within_the_budget(n):
    lengths = np.random.default_rng(n).integers(1, 30, n)
    batches = budget_batches(lengths, 64)
    assert sorted(np.concatenate([*batches, np.empty(0, int)]).tolist()) == list(range(n))
    for rows in batches:
        assert len(rows) * lengths[rows].max() <= 64
    widths = [int(lengths[rows].max()) for rows in batches]
    assert widths == sorted(widths, reverse=True)


def test_a_row_beyond_the_budget_goes_alone():
    assert [b.tolist() for b in budget_batches(np.array([2, 99, 2]), 10)] == [[1], [0, 2]]


def test_occurrence_matches_a_loop():
    groups = np.random.default_rng(0).integers(0, 9, 100)
    seen: dict[int, int] = {}
    expected = []
    for group in groups.tolist():
        expected.append(seen.get(group, 0))
        seen[group] = expected[-1] + 1
    assert occurrence(groups).tolist() == expected


def test_no_group_twice_in_a_batch_and_no_row_twice_in_an_epoch():
    lengths, languages, groups = columns(groups=120)
    batches = epoch_batches(lengths, languages, groups, batch_size=16, seed=0, epoch=0)
    for rows in batches:
        assert len(rows) == 16
        assert len(set(groups[rows].tolist())) == 16
    used = np.concatenate(batches).tolist()
    assert len(set(used)) == len(used)
    assert len(used) > 0.9 * len(groups)


def test_rows_of_a_batch_are_of_similar_length():
    lengths, languages, groups = columns(n=4000, groups=4000)
    batches = epoch_batches(lengths, languages, groups, batch_size=16, seed=0, epoch=0)
    padded = sum(len(rows) * lengths[rows].max() for rows in batches)
    assert 1 - sum(lengths[rows].sum() for rows in batches) / padded < 0.05


def test_batches_by_language_hold_one_language_where_that_is_possible():
    lengths, languages, groups = columns(n=4000, groups=10**9)
    options = {"batch_size": 16, "seed": 0, "epoch": 0}
    mixed, apart = (
        epoch_batches(lengths, languages, groups, by_language=choice, **options) for choice in (False, True)
    )
    whole = [len(set(languages[rows].tolist())) == 1 for rows in apart]
    assert np.mean(whole) > 0.9
    assert np.mean([len(set(languages[rows].tolist())) == 1 for rows in mixed]) < 0.1
    assert sorted(np.concatenate(apart).tolist()) == sorted(np.concatenate(mixed).tolist())


def test_temperature_of_languages():
    languages = np.array([0] * 90 + [1] * 10)
    for temperature, share in [(1.0, 0.9), (0.5, 0.75), (0.0, 0.5)]:
        rows = draw(languages, np.random.default_rng(0), temperature)
        assert (languages[rows] == 0).mean() == pytest.approx(share)
    twice = draw(languages, np.random.default_rng(0), 0.0)
    counts = np.bincount(twice[languages[twice] == 1], minlength=100)[90:]
    assert counts.min() == counts.max() == 5  # each of the ten rows equally often


def test_the_stream_is_a_function_of_its_seed():
    assert rows_of(stream()) == rows_of(stream())
    assert rows_of(stream()) != rows_of(stream(seed=1))


def test_the_stream_goes_on_through_epochs_that_differ():
    made = rows_of(stream(total=100))
    assert [number for number, _ in made] == list(range(100))
    assert len(stream(total=100)) == 100
    assert made[0][1] != made[len(epoch_batches(*columns(), batch_size=16, seed=0, epoch=0))][1]


def test_ranks_share_out_the_batch_of_one_process():
    alone = rows_of(stream(batch_size=16))
    parts = [rows_of(stream(batch_size=8, rank=r, world=2)) for r in (0, 1)]
    for (_, whole), (_, first), (_, second) in zip(alone, *parts, strict=True):
        assert sorted(first + second) == sorted(whole)
        assert not set(first) & set(second)


@pytest.mark.parametrize(("n", "groups"), [(10, 10), (100, 9)])
def test_a_batch_larger_than_the_data(n, groups):
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=rf"a batch of 16 pairs needs .* has {n} pairs in {groups} groups"):
        epoch_batches(
            np.ones(n, int), np.zeros(n, int), np.arange(n) % groups, batch_size=16, seed=int(rng.integers(9)), epoch=0
        )


def test_groups_repeat_in_a_batch_if_that_is_asked_for():
    lengths, languages, groups = columns(groups=40)
    options = {"batch_size": 64, "seed": 0, "epoch": 0}
    with pytest.raises(InputError, match="has 500 pairs in 40 groups"):
        epoch_batches(lengths, languages, groups, **options)
    batches = epoch_batches(lengths, languages, groups, repeat_groups=True, **options)
    assert sum(map(len, batches)) == 500 // 64 * 64
    for rows in batches:
        assert len(set(rows.tolist())) == 64
        assert len(set(groups[rows].tolist())) <= 40
    alone = epoch_batches(lengths, languages, np.arange(500), **options)  # as if every pair had its own
    assert [rows.tolist() for rows in batches] == [rows.tolist() for rows in alone]
    assert rows_of(stream(repeat_groups=True)) != rows_of(stream())


def test_a_pair_drawn_twice_is_never_twice_in_a_batch():
    languages = np.array([0] * 90 + [1] * 10)
    batches = epoch_batches(
        np.ones(100, int), languages, np.zeros(100, int), batch_size=8, seed=0, epoch=0, temperature=0.0,
        repeat_groups=True,
    )  # fmt: skip
    assert np.bincount(languages[np.concatenate(batches)])[1] > 30
    for rows in batches:
        assert len(set(rows.tolist())) == 8


def test_fewer_pairs_than_a_batch():
    with pytest.raises(InputError, match=r"a batch needs 16 pairs, but the data has 15: lower train\.batch_size"):
        epoch_batches(
            np.ones(15, int), np.zeros(15, int), np.zeros(15, int), batch_size=16, seed=0, epoch=0, repeat_groups=True
        )


@pytest.mark.parametrize("repeat", [False, True])
def test_an_epoch_without_a_batch_is_refused_and_not_waited_for(repeat):
    languages = np.array([0] * 15 + [1])  # uniform over languages: eight of the first, and eight times the one row
    made = BatchStream(
        np.ones(16, int), languages, np.arange(16), batch_size=16, total=3, seed=0, temperature=0.0,
        repeat_groups=repeat,
    )  # fmt: skip
    with pytest.raises(InputError, match="no batch of 16 pairs can be filled from 16 pairs drawn at .* temperature 0,"):
        list(made)


def test_tables_are_drawn_equally_often_if_uniform():
    languages, tables = np.array([0] * 60 + [1] * 30 + [1] * 10), np.array([0] * 90 + [1] * 10)
    rng = np.random.default_rng(0)
    rows = draw(languages, rng, 1.0, tables=tables, uniform=True)
    assert np.bincount(tables[rows]).tolist() == [50, 50]
    assert np.bincount(languages[rows][tables[rows] == 0]) == pytest.approx([100 / 3, 50 / 3], abs=1)
    counts = np.bincount(rows[tables[rows] == 1], minlength=100)[90:]
    assert counts.tolist() == [5] * 10  # all of the small table before any row comes again
    even = draw(languages, rng, 0.0, tables=tables, uniform=False)
    assert np.bincount(tables[even]).tolist() == [90, 10]
    assert np.bincount(languages[even][tables[even] == 0]).tolist() == [45, 45]


def test_a_small_table_neither_ends_an_epoch_nor_starves():
    lengths, languages = np.full(100, 5), np.zeros(100, int)
    tables, groups = np.array([0] * 92 + [1] * 8), np.arange(100)
    batches = epoch_batches(
        lengths, languages, groups, batch_size=4, seed=0, epoch=0, tables=tables, uniform=True
    )  # fmt: skip
    rows = np.concatenate(batches)
    assert len(rows) >= 92
    assert (tables[rows] == 1).mean() == pytest.approx(0.5, abs=0.05)
    for batch in batches:
        assert len(set(groups[batch].tolist())) == 4
