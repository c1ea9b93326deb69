from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import torch
from toy import table

from align.encoders.checkpoint import load_encoder
from align.objectives.mlm import IGNORED, MlmOptions
from align.streams import drawn_from, stream
from align.tasks.statistics.permutation import sign_flip_p
from align.tasks.statistics.resampling import resampled_rows
from align.training.batches import Batches
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.sampling import BatchStream
from align.training.store import build_store

ROOT = Path(__file__).parents[1]
LISTS = {  # these were here first, and documented numbers come from them; every other stream of their seeds has names
    "align/training/sampling.py", "align/pairs/filters/shares.py", "align/indexes/query_sources.py",
    "tasks/texts/hard_negatives.py",
    "tasks/statistics/resampling.py",
}  # fmt: skip


def start(generator):
    return tuple(generator.integers(0, 2**63, 4).tolist())


def test_streams_of_other_names_or_seeds_share_nothing():
    names = [(), *product((0, 1, "a")), *product((0, 1, "a", "0"), repeat=2), *product((0, 1), repeat=3)]
    starts = [start(stream(seed, *name)) for seed in (0, 1, 2**40) for name in names]
    starts += [start(np.random.default_rng(seeds)) for seeds in product((0, 1), repeat=3)]
    assert len(set(starts)) == len(starts)
    assert start(stream(3, "batch", np.int64(5))) == start(stream(3, "batch", 5))  # one purpose, one stream


def test_a_stream_stays_what_it_is():
    assert stream(0, "batch", 0, 0).integers(0, 1000, 4).tolist() == [200, 41, 224, 210]


def test_new_weights_of_other_names_are_not_alike():
    drawn = []
    torch.manual_seed(5)
    for names in [("heads",), ("lora",), ("heads",)]:
        with drawn_from(5, *names):
            drawn.append(torch.rand(3))
    drawn.append(torch.rand(3))  # dropout, whose stream is the seed's own
    assert torch.equal(drawn[0], drawn[2])
    assert len({tuple(one.tolist()) for one in drawn}) == 3


def test_what_a_batch_draws_is_not_the_order_of_the_rows(bert_folder, tmp_path, monkeypatch):
    made = []
    real = np.random.default_rng

    def watched(*given):
        made.append(start(real(*given)))
        return real(*given)

    encoder = load_encoder(bert_folder)
    store = build_store(table(), encoder, max_tokens=16, cache=tmp_path)
    recipe = Recipe(mlm=MlmOptions(), train=TrainOptions(batch_size=4))
    monkeypatch.setattr(np.random, "default_rng", watched)
    ones = np.ones(len(store.lengths), dtype=np.int64)
    for epoch in range(3):
        next(BatchStream(store.lengths, ones, store.groups, batch_size=4, seed=recipe.train.seed).epoch(epoch))
    orders = set(made)
    made.clear()
    for number, rank in product(range(3), range(2)):
        batch = Batches(store, encoder, recipe, rank=rank, world=2)[number, np.arange(8)]
        assert (batch["labels"] != IGNORED).any()
    assert len(orders) == 3
    assert len(made) == len(set(made)) == 6
    assert not orders & set(made)


def test_random_flips_are_not_the_resamples_of_a_score(monkeypatch):
    made = []
    real = np.random.default_rng

    def watched(*given):
        made.append(start(real(*given)))
        return real(*given)

    monkeypatch.setattr(np.random, "default_rng", watched)
    for position in range(4):
        next(resampled_rows(5, resamples=1, seed=7, position=position))
    sign_flip_p([real(0).standard_normal(40)], seed=7)
    assert len(made) == len(set(made)) == 5


def test_no_stream_is_named_by_a_list_elsewhere():
    """[seed, 1] and [seed, 1, 0] are one stream to numpy: new ones come from align.streams."""
    found = {
        str(path.relative_to(ROOT))
        for folder in ("align", "objectives", "tasks")
        for path in (ROOT / folder).rglob("*.py")
        if not path.is_relative_to(ROOT / "align" / "objectives") and not path.is_relative_to(ROOT / "align" / "tasks")
        if re.search(r"(default_rng|SeedSequence)\(\s*[\[(]", path.read_text(encoding="utf-8"))
    }
    assert found == LISTS
