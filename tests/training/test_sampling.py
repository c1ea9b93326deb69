from __future__ import annotations

import tracemalloc
from itertools import islice

import numpy as np
import pytest
import scipy.stats
from accelerate.data_loader import SkipBatchSampler

from align.encoders.batching import budget_batches
from align.errors import InputError
from align.training import cutting
from align.training.sampling import BatchStream, count_distinct, draw, narrow, whole_numbers


def epoch_batches(lengths, languages, groups, *, epoch, **options):
    return BatchStream(lengths, languages, groups, **options).epoch(epoch)


def columns(n=500, languages=3, groups=400, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(3, 40, n), rng.integers(0, languages, n), rng.integers(0, groups, n)


def stream(total=30, world=1, seed=0, batch_size=16, **options):
    return BatchStream(*columns(), batch_size=batch_size, total=total, seed=seed, world=world, **options)


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


def test_no_group_twice_in_a_batch_and_no_row_twice_in_an_epoch():
    lengths, languages, groups = columns(groups=120)
    batches = list(epoch_batches(lengths, languages, groups, batch_size=16, seed=0, epoch=0))
    for rows in batches:
        assert len(rows) == 16
        assert len(set(groups[rows].tolist())) == 16
    used = np.concatenate(batches).tolist()
    assert len(set(used)) == len(used)
    assert len(used) > 0.9 * len(groups)


@pytest.mark.parametrize(
    "options", [{"batch_size": 16}, {"batch_size": 8, "world": 2}, {"batch_size": 0, "batch_tokens": 300}]
)
def test_rows_that_share_any_key_are_never_in_one_batch(options):
    lengths, languages, _ = columns(n=1000)
    rng = np.random.default_rng(0)
    keys = np.stack(
        [rng.integers(0, 900, 1000), rng.integers(1000, 1600, 1000), rng.integers(1500, 2400, 1000)], axis=1
    )
    keys[:50, 2] = keys[:50, 1]  # both texts of a pair are one: it is not its own rival
    batches = list(epoch_batches(lengths, languages, keys, seed=0, epoch=0, **options))
    for rows in batches:
        seen = [key for row in rows for key in set(keys[row].tolist())]
        assert len(set(seen)) == len(seen)
    used = np.concatenate(batches).tolist()
    assert len(set(used)) == len(used) > 900
    assert {*range(50)} & {*used}


def test_many_sources_of_few_targets_fill_batches():
    """A dictionary's star: 40 words, each the translation of 10."""
    keys = np.stack([np.arange(400), 1000 + np.arange(400), 2000 + np.arange(400) // 10], axis=1)
    ones = np.ones(400, int)
    batches = list(epoch_batches(ones, 0 * ones, keys, batch_size=20, seed=0, epoch=0))
    assert len(batches) >= 18
    assert all(len(set(keys[rows, 2].tolist())) == 20 for rows in batches)
    with pytest.raises(InputError, match="a batch of 41 pairs needs .* has 400 pairs in 40 groups"):
        epoch_batches(ones, 0 * ones, keys, batch_size=41, seed=0, epoch=0)


def test_rows_of_a_batch_are_of_similar_length():
    lengths, languages, groups = columns(n=4000, groups=4000)
    batches = list(epoch_batches(lengths, languages, groups, batch_size=16, seed=0, epoch=0))
    padded = sum(len(rows) * lengths[rows].max() for rows in batches)
    assert 1 - sum(lengths[rows].sum() for rows in batches) / padded < 0.05


def test_batches_by_language_hold_one_language_where_that_is_possible():
    lengths, languages, groups = columns(n=4000, groups=10**9)
    options = {"batch_size": 16, "seed": 0, "epoch": 0}
    mixed, apart = (
        list(epoch_batches(lengths, languages, groups, by_language=choice, **options)) for choice in (False, True)
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
    assert made[0][1] != made[len(list(epoch_batches(*columns(), batch_size=16, seed=0, epoch=0)))][1]


def test_ranks_share_out_the_batch_of_one_process():
    alone = rows_of(stream(batch_size=16))
    shared = rows_of(stream(batch_size=8, world=2))
    parts = [[(number, rows[r::2]) for number, rows in shared] for r in (0, 1)]
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
    batches = list(epoch_batches(lengths, languages, groups, repeat_groups=True, **options))
    assert sum(map(len, batches)) == 500 // 64 * 64
    for rows in batches:
        assert len(set(rows.tolist())) == 64
        assert len(set(groups[rows].tolist())) <= 40
    alone = epoch_batches(lengths, languages, np.arange(500), **options)  # as if every pair had its own
    assert [rows.tolist() for rows in batches] == [rows.tolist() for rows in alone]
    assert rows_of(stream(repeat_groups=True)) != rows_of(stream())


def test_a_pair_drawn_twice_is_never_twice_in_a_batch():
    languages = np.array([0] * 90 + [1] * 10)
    batches = list(epoch_batches(
        np.ones(100, int), languages, np.zeros(100, int), batch_size=8, seed=0, epoch=0, temperature=0.0,
        repeat_groups=True,
    ))  # fmt: skip
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
    batches = list(
        epoch_batches(lengths, languages, groups, batch_size=4, seed=0, epoch=0, tables=tables, uniform=True)
    )
    rows = np.concatenate(batches)
    assert len(rows) >= 92
    assert (tables[rows] == 1).mean() == pytest.approx(0.5, abs=0.05)
    for batch in batches:
        assert len(set(groups[batch].tolist())) == 4


def nli(n=6000, repeats=3, seed=0):
    """Lengths as of text, 36 languages, and hashes as groups, each of them on so many rows."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(3.2, 0.9, n).astype(np.int64) + 3, 3, 128)
    groups = rng.integers(2**62, 2**63 - 1, -(-n // repeats))[np.arange(n) // repeats]
    return lengths, rng.integers(0, 36, n), groups


def padding(batches, lengths):
    return 1 - sum(lengths[rows].sum() for rows in batches) / sum(len(rows) * lengths[rows].max() for rows in batches)


def test_padding_of_long_and_short_texts_in_batches_of_256():
    lengths, languages, groups = nli(60_000)
    batches = list(epoch_batches(lengths, languages, groups, batch_size=256, seed=0, epoch=0))
    assert len(batches) == 60_000 // 256
    assert padding(batches, lengths) < 0.08
    assert padding(np.random.default_rng(0).permutation(60_000)[: 234 * 256].reshape(-1, 256), lengths) > 0.6


@pytest.mark.parametrize(("repeats", "size"), [(1, 32), (3, 32), (30, 32), (100, 32), (150, 40), (3, 490)])
def test_as_many_batches_as_there_can_be(repeats, size):
    lengths, languages, groups = nli(6000, repeats)
    batches = list(epoch_batches(lengths, languages, groups, batch_size=size, seed=0, epoch=0))
    assert len(batches) >= 0.98 * (6000 // size)  # with 150: 40 groups, so each batch needs every one of them
    rows = np.concatenate(batches)
    assert len(np.unique(rows)) == len(rows)
    for batch in batches:
        assert len(np.unique(groups[batch])) == len(batch) == size


def test_a_group_with_most_of_the_rows_neither_stops_others_nor_makes_pools_grow(monkeypatch):
    lengths, languages, groups = nli(20_000, 1)
    groups[np.random.default_rng(0).random(20_000) < 0.7] = 5
    pools = []
    monkeypatch.setattr(
        "align.training.sampling.apart", lambda *given: (pools.append(len(given[0])), cutting.apart(*given))[1]
    )
    batches = list(epoch_batches(lengths, languages, groups, batch_size=16, seed=0, epoch=0))
    assert len(batches) > 0.99 * (groups != 5).sum() / 15  # fifteen others and one of them
    assert max(pools[:-1]) <= 2 * 32 * 16
    assert pools[-1] > 13_000  # in the end come all that were set aside


def test_pools_are_made_when_they_are_asked_for(monkeypatch):
    pools = []
    monkeypatch.setattr(
        "align.training.sampling.apart", lambda *given: (pools.append(len(given[0])), cutting.apart(*given))[1]
    )
    stream = BatchStream(*nli(20_000), batch_size=16, total=10**6, seed=0)
    made = list(islice(stream, 20))
    assert len(made) == 20
    assert pools == [32 * 16]


def test_batches_come_neither_by_length_nor_by_the_order_of_rows():
    lengths, languages, groups = nli(32 * 64, 1)
    batches = list(epoch_batches(lengths, languages, groups, batch_size=64, seed=0, epoch=0))
    assert abs(np.corrcoef(np.arange(32), [lengths[rows].mean() for rows in batches])[0, 1]) < 0.5
    assert abs(np.corrcoef(np.arange(32 * 64), np.concatenate(batches))[0, 1]) < 0.1


def test_a_whole_epoch_holds_one_pool_at_a_time():
    lengths, languages, groups = nli(200_000)
    stream = BatchStream(lengths, languages, groups, batch_size=64, total=200_000 // 64, seed=0)
    next(iter(stream))  # what is imported late
    tracemalloc.start()
    batches = sum(1 for _ in stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert batches == 3125
    assert peak < 20 * 200_000  # 8 bytes a row for the order, 1 for lengths, and what shuffling takes


def test_the_longest_rows_do_not_wait_for_the_end():
    lengths, languages, groups = nli(30_000, 1)
    batches = list(epoch_batches(lengths, languages, groups, batch_size=64, seed=0, epoch=0))
    half = np.concatenate(batches[: len(batches) // 2])
    longest = np.argsort(lengths, kind="stable")[-300:]
    assert np.isin(longest, half).mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("options", [{}, {"temperature": 0.3}, {"repeat_groups": True}, {"batch_tokens": 500}])
def test_resuming_at_any_step_is_exact(options):
    whole = rows_of(stream(total=120, **options))
    for step in (1, 31, 64, 119):
        resumed = SkipBatchSampler(stream(total=120, **options), skip_batches=step)  # as transformers resumes
        assert rows_of(resumed) == whole[step:]


@pytest.mark.parametrize("options", [{}, {"temperature": 0.0}, {"repeat_groups": True}, {"batch_tokens": 500}])
def test_how_often_rows_are_drawn(options):
    made = stream(total=90, **options)
    counts = np.zeros(500, int)
    for _, rows in made.whole():
        for row in rows.tolist():
            counts[row] += 1
    assert made.drawn().tolist() == counts.tolist()
    assert counts.max() > 1  # several epochs
    assert stream(total=0).drawn().tolist() == [0] * 500


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("repeats", [1, 3, 60])
def test_batches_by_tokens(repeats, world):
    lengths, languages, groups = nli(6000, repeats)
    costs, budget = lengths + np.random.default_rng(1).integers(3, 60, 6000), 2000
    options = {"batch_size": 0, "batch_tokens": budget, "seed": 0, "costs": costs, "total": 150, "world": world}
    stream = BatchStream(lengths, languages, groups, **options)
    used = []
    for [(_, batch)] in stream:
        shares = [batch[rank::world] for rank in range(world)]
        assert len({len(rows) for rows in shares}) == 1
        assert max(costs[rows].sum() for rows in shares) <= budget
        together = np.concatenate(shares)
        assert len(set(groups[together].tolist())) == len(together)
        used.append(costs[together].sum())
    assert np.mean(used[: len(used) // 2]) > 0.9 * budget * world
    epoch = list(epoch_batches(
        lengths, languages, groups, batch_size=0, batch_tokens=budget, costs=costs, world=world, seed=0, epoch=0
    ))  # fmt: skip
    optimum = costs.sum() / budget / world
    assert 0.95 * optimum < len(epoch) < 1.05 * optimum
    rows = np.concatenate(epoch)
    assert len(np.unique(rows)) == len(rows) > 0.93 * 6000
    if repeats < 60:
        assert padding(epoch, lengths) < 0.15


def test_tokens_are_lengths_unless_costs_are_given():
    lengths, languages, groups = columns()
    options = {"batch_size": 5, "seed": 0, "epoch": 0, "batch_tokens": 200}
    plain = list(epoch_batches(lengths, languages, groups, **options))
    same = list(epoch_batches(lengths, languages, groups, costs=lengths, **options))
    twice = list(epoch_batches(lengths, languages, groups, costs=2 * lengths, **options))
    assert [rows.tolist() for rows in plain] == [rows.tolist() for rows in same]
    assert len(plain) == pytest.approx(lengths.sum() / 200, rel=0.1)
    assert len(twice) == pytest.approx(lengths.sum() / 100, rel=0.25)  # a few long rows leave much room
    assert max(map(len, plain)) > 5  # batch_size is not read


def test_a_budget_above_all_the_data_makes_one_batch_of_it():
    lengths, languages, _ = columns(n=40)
    (batch,) = epoch_batches(
        lengths, languages, np.arange(40), batch_size=0, batch_tokens=10**6, seed=0, epoch=0
    )  # fmt: skip
    assert sorted(batch.tolist()) == list(range(40))


def test_a_budget_above_all_groups_makes_batches_of_every_group():
    lengths, languages, groups = columns(n=400, groups=2)
    batches = list(epoch_batches(lengths, languages, groups, batch_size=0, batch_tokens=10**6, seed=0, epoch=0))
    assert len(batches) == np.bincount(groups).min()
    assert all(sorted(groups[rows].tolist()) == [0, 1] for rows in batches)  # never one row alone


@pytest.mark.parametrize("world", [1, 2])
def test_a_row_above_the_budget_goes_alone_in_each_process(world):
    lengths = np.array([4] * 30 + [50] * 6)
    batches = list(epoch_batches(
        lengths, np.zeros(36, int), np.arange(36), batch_size=0, batch_tokens=20, seed=0, epoch=0, world=world
    ))  # fmt: skip
    long = [rows for rows in batches if (lengths[rows] == 50).any()]
    assert {len(rows) for rows in long} == {world}
    assert max(len(rows) for rows in batches) == 5 * world
    assert len(np.concatenate(batches)) >= 32


def test_by_tokens_with_too_few_groups():
    with pytest.raises(InputError, match="a batch of 4 pairs needs .* 9 pairs in 3 groups: train with fewer processes"):
        epoch_batches(
            np.ones(9, int), np.zeros(9, int), np.arange(9) % 3, batch_size=0, batch_tokens=8, seed=0, epoch=0, world=2
        )
    with pytest.raises(InputError, match="a batch needs 2 pairs, but the data has 1: train with fewer processes"):
        epoch_batches(
            np.ones(1, int), np.zeros(1, int), np.zeros(1, int), batch_size=0, batch_tokens=8, seed=0, epoch=0,
            repeat_groups=True,
        )  # fmt: skip


@pytest.mark.parametrize("options", [{"batch_tokens": 0}, {"batch_tokens": 4}])
def test_no_data_at_all(options):
    nothing = np.empty(0, int)
    with pytest.raises(InputError, match="has 0 pairs in 0 groups"):
        epoch_batches(nothing, nothing, nothing, batch_size=2, seed=0, epoch=0, **options)


def test_distinct_groups_are_counted_until_there_are_enough():
    groups = np.array([2**62] * 50 + [2**62 + 1] * 20 + [5, 9])
    for enough in range(1, 5):
        assert count_distinct(groups, enough=enough) >= enough
    assert count_distinct(groups, enough=5) == count_distinct(groups, enough=100) == 4
    assert count_distinct(groups[:0], enough=1) == 0


def test_narrow_keeps_values():
    for values in ([0, 255], [3, 256], [65536, 1], [2**40]):
        assert narrow(np.array(values)).tolist() == values
    assert narrow(np.array([7])).itemsize == 1


@pytest.mark.parametrize("options", [{"temperature": 0.98}, {"temperature": 1.0, "uniform": True}])
def test_every_language_is_drawn_as_often_as_it_should_be(options):
    """Also those that are to get less than half a row an epoch: chi-square over epochs, and the same n in each."""
    counts = np.array([4000, *[2] * 18, *[1] * 2])
    languages = np.repeat(np.arange(21), counts)
    tables = np.array([0] * 4000 + [1] * 38)
    tables = np.where(languages % 2, 0, tables)  # every second one is a small one of the large table
    expected = np.zeros(21)
    for table in (0, 1):
        of = np.bincount(languages[tables == table], minlength=21)
        weights = np.where(of, of ** options["temperature"], 0)
        share = 0.5 if options.get("uniform") else of.sum() / len(tables)
        expected += len(tables) * share * weights / weights.sum()
    small = expected < 30
    epochs = 600
    drawn = [
        np.bincount(
            languages[draw(languages, np.random.default_rng([3, epoch]), tables=tables, **options)], minlength=21
        )
        for epoch in range(epochs)
    ]
    assert {int(times.sum()) for times in drawn} == {len(languages)}
    assert np.abs(np.array(drawn) - expected).max() < 2  # of the two tables
    found = np.sum(drawn, axis=0)
    assert small.sum() > 5 and found.min() > 0
    chi = ((found - epochs * expected)[small] ** 2 / (epochs * expected)[small]).sum()
    assert chi < scipy.stats.chi2.ppf(0.99, small.sum())


def test_whole_numbers_have_the_expected_mean():
    expected = np.array([0.05, 0.3, 2.25, 0.4, 1.0, 7.0, 0.0])
    found = np.array([whole_numbers(expected, np.random.default_rng(seed)) for seed in range(4000)])
    assert (found.sum(axis=1) == 11).all() and (found >= 0).all()
    assert found.mean(axis=0) == pytest.approx(expected, abs=0.03)
    assert (np.abs(found - expected) < 1).all()


def test_many_languages_of_few_rows_are_drawn_as_a_loop_would():
    rng = np.random.default_rng(0)
    languages = np.concatenate([np.repeat(np.arange(300), 3), rng.integers(0, 4, 2400)])
    tables = rng.integers(0, 3, 3300)
    rows = draw(languages, rng, 0.2, tables=tables, uniform=True)
    times = np.bincount(rows, minlength=3300)
    for table in range(3):
        inside = np.flatnonzero(tables == table)
        weights = {language: (languages[inside] == language).sum() ** 0.2 for language in set(languages[inside])}
        for language, weight in weights.items():
            here = inside[languages[inside] == language]
            assert abs(times[here].sum() - 3300 / 3 * weight / sum(weights.values())) < 1
            assert times[here].max() - times[here].min() <= 1  # all of them before any comes again


def test_no_row_comes_twice_more_than_another_of_its_language():
    languages = np.concatenate([np.zeros(1000, int), np.repeat(np.arange(1, 101), 4)])
    times = np.bincount(draw(languages, np.random.default_rng(0), 0.0), minlength=1400)
    assert set(times[1000:].tolist()) == {3, 4}  # 1400 / 101 = 13.9 rows of each language, of four: thrice and a half
    assert set(times[1000:].reshape(100, 4).sum(1).tolist()) == {13, 14}
    assert times[:1000].sum() in (13, 14) and times.sum() == 1400
