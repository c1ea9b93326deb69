"""Batches, packing and the romaniser: nothing lost, nothing twice, whatever is drawn."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from align.encoders.batching import budget_batches, fixed_batches
from align.encoders.packing import pack
from align.errors import InputError
from align.text.romanize.registry import romanizers
from align.text.romanize.romanizer import romanize
from align.text.romanize.units import load_uroman
from align.training.sampling import BatchStream, draw, whole_numbers

SEED = st.integers(0, 2**32)
LENGTHS = st.lists(st.integers(0, 12), min_size=1, max_size=12)


@given(
    seed=SEED,
    n=st.integers(2, 80),
    groups=st.integers(1, 40),
    languages=st.integers(1, 4),
    size=st.integers(1, 6),
    world=st.integers(1, 3),
    tokens=st.sampled_from([0, 0, 20, 60]),
    by_language=st.booleans(),
    columns=st.integers(1, 2),
)
def test_an_epoch_draws_no_row_twice_and_no_group_twice_in_a_batch(
    seed, n, groups, languages, size, world, tokens, by_language, columns
):
    rng = np.random.default_rng(seed)
    of = rng.integers(0, groups, (n, columns)) if columns > 1 else rng.integers(0, groups, n)
    lengths = rng.integers(1, 30, n)
    made = BatchStream(
        lengths,
        rng.integers(0, languages, n),
        of,
        batch_size=size,
        seed=seed,
        world=world,
        batch_tokens=tokens,
        by_language=by_language,
    )
    try:
        batches = list(made.epoch(3))
    except InputError:
        few = len(set(of.ravel().tolist())) < 2 * max(size, 2) * world * columns
        assert few or len(made.lengths) < 2 * max(size, 2) * world
        return
    rows = np.concatenate(batches)
    assert len(np.unique(rows)) == len(rows) <= n
    for batch in batches:
        assert len(batch) == size * world if not tokens else len(batch) % world == 0
        meanings = [set(row) for row in of[batch].reshape(len(batch), -1).tolist()]
        assert sum(map(len, meanings)) == len(set().union(*meanings))
        if tokens and len(batch) > world:
            assert max(lengths[batch[rank::world]].sum() for rank in range(world)) <= tokens
    if columns == 1 and not tokens and len(set(of.tolist())) == n:
        assert len(rows) == n // (size * world) * size * world  # of groups of their own, only the rest stays out
    assert [batch.tolist() for batch in made.epoch(3)] == [batch.tolist() for batch in batches]


@given(
    seed=SEED,
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    temperature=st.sampled_from([0, 0.3, 0.7, 1]),
    uniform=st.booleans(),
)
def test_a_row_is_drawn_as_often_as_its_language_and_table_say(seed, sizes, temperature, uniform):
    rng = np.random.default_rng(seed)
    languages = np.repeat(np.arange(len(sizes)), sizes)
    tables = np.minimum(languages, 1)
    times = np.bincount(draw(languages, rng, temperature, tables=tables, uniform=uniform), minlength=len(languages))
    assert times.sum() == len(languages)
    of_table = np.bincount(tables)
    for language, size in enumerate(sizes):
        mine, table = languages == language, min(language, 1)
        weights = [other**temperature for at, other in enumerate(sizes) if min(at, 1) == table]
        share = 1 / np.count_nonzero(of_table) if uniform else of_table[table] / len(languages)
        expected = len(languages) * share * size**temperature / sum(weights)
        assert abs(times[mine].sum() - expected) < 1 + 1e-9
        assert times[mine].max() - times[mine].min() <= 1  # through all of them before any comes again


@given(seed=SEED, parts=st.lists(st.integers(0, 12), min_size=1, max_size=6))
def test_whole_numbers_lie_next_to_what_is_expected(seed, parts):
    rng, expected = np.random.default_rng(seed), np.array(parts) / 4
    expected = np.append(expected, np.ceil(expected.sum()) - expected.sum())
    found = whole_numbers(expected, rng)
    assert found.sum() == round(expected.sum()) and np.all(np.abs(found - expected) < 1)


@given(lengths=LENGTHS, extra=st.integers(0, 3), round_to=st.integers(1, 8))
def test_packing_keeps_every_token_in_its_place(lengths, extra, round_to):
    width = max([1, *lengths]) + extra
    assume(any(lengths))
    packing = pack(lengths, width, round_to=round_to)
    batch = torch.arange(1, len(lengths) * width + 1).view(len(lengths), width)
    flat = packing.flat(batch)
    assert torch.equal(packing.padded(flat), batch * packing.real)
    assert flat.shape[1] % round_to == 0 and 0 <= flat.shape[1] - sum(lengths) < round_to
    assert packing.real.sum(1).tolist() == lengths
    starts = packing.starts.tolist()
    for start, end in pairwise(starts):
        if end <= sum(lengths):
            assert packing.positions[start:end].tolist() == list(range(end - start))
            assert (flat[0, start:end] - flat[0, start]).tolist() == list(range(end - start))  # one text, in its order
    assert sum(texts * length for texts, length in packing.groups) == flat.shape[1]


@given(lengths=st.lists(st.integers(1, 40), max_size=30), budget=st.integers(1, 100))
def test_batches_of_texts_hold_each_once(lengths, budget):
    rows = np.array(lengths, dtype=np.int64)
    batches = list(budget_batches(rows, budget))
    assert sorted(row for batch in batches for row in batch.tolist()) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * rows[batch].max() <= budget for batch in batches)
    fixed = list(fixed_batches(rows, budget))
    assert sorted(row for batch, real in fixed for row in batch[:real].tolist()) == list(range(len(lengths)))
    shapes = Counter((rows[batch].max(), len(batch)) for batch, _ in fixed)
    assert len({height for _, height in shapes}) <= len({length for length, _ in shapes})


SCRIPTS = st.sampled_from("aZ.,'! 7½٣²あ漢字한ไทยकि्षбщґαάאَبᠠ༄፡ꯀ😀\u200b\u0301\ue000\n⠓")


@pytest.mark.parametrize("backend", sorted(romanizers()))
@given(
    lines=st.lists(
        st.text(st.one_of(SCRIPTS, SCRIPTS, st.characters(exclude_categories=["Cs"])), max_size=12), max_size=4
    ),
    lang=st.sampled_from([None, "hin", "ukr", "jpn", "fas"]),
)
def test_a_line_for_each_line_as_uroman_writes_it(backend, lines, lang):
    if backend == "fast":
        pytest.importorskip("uroman_fast")
    found = romanize(lines, lang=lang, backend=backend)
    assert len(found) == len(lines)
    for line, roman in zip(lines, found, strict=True):
        try:
            expected = load_uroman().romanize_string(line, lcode=lang)
        except Exception:
            continue
        assert roman == expected
