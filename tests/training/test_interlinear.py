"""Parallel documents as lines in turns: what is in a sequence, what is masked, and what a step reads."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
from datasets import concatenate_datasets
from toy import quiet, table

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.mlm import IGNORED
from align.objectives.tlm import TlmOptions
from align.training.batches import Batches
from align.training.masking.interlinear import choose_lines, document_ends, interlinear
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.store import build_store
from align.training.train import train

PAIRS = [([0, 10, 2], [0, 20, 21, 2]), ([0, 11, 12, 2], [0, 22, 2]), ([0, 13, 2], [0, 23, 2])]
WHOLE = [0, 10, 2, 20, 21, 2, 11, 12, 2, 22, 2, 13, 2, 23, 2]


def test_lines_in_turns():
    joint = interlinear(PAIRS, begin=0, max_tokens=40)
    assert joint.ids == WHOLE and joint.positions == [*range(15)]
    assert joint.types == [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1]
    assert joint.lines == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize(("limit", "tokens"), [(15, 15), (14, 11), (11, 11), (10, 6), (6, 6)])
def test_no_line_without_its_translation(limit, tokens):
    joint = interlinear(PAIRS, begin=0, max_tokens=limit)
    assert joint.ids == WHOLE[:tokens]
    assert len(joint.ids) == len(joint.types) == len(joint.positions) == len(joint.lines)


def test_a_first_pair_that_is_too_long_is_cut_and_stands_alone():
    long = ([0, *range(10, 30), 2], [0, *range(40, 60), 2])
    joint = interlinear([long, ([0, 2], [0, 2])], begin=0, max_tokens=10)
    assert joint.ids == [0, 10, 11, 12, 2, 40, 41, 42, 43, 2]


def test_it_reads_no_further_than_there_is_room():
    seen = []
    interlinear((seen.append(i) or PAIRS[i] for i in range(3)), begin=0, max_tokens=10)
    assert seen == [0, 1]
    with pytest.raises(ValueError, match="at least one pair"):
        interlinear([], begin=0, max_tokens=10)


def test_texts_without_a_start_token_stay_whole():
    assert interlinear([([5, 6], [7]), ([8], [9])], begin=-1, max_tokens=10).ids == [5, 6, 7, 8, 9]


def test_whole_lines_and_never_both_of_a_pair():
    lines = torch.tensor([[0, 0, 1, 2, 2, 3, 3, -1], [0, 1, 1, 2, 3, 4, 4, 5]]).repeat(2000, 1)
    chosen = choose_lines(lines, rate=0.2, generator=torch.Generator().manual_seed(0))
    assert not chosen[lines < 0].any()
    for i in range(2):
        rows, found = lines[i::2], chosen[i::2]
        for line in range(int(rows.max()) + 1):
            of_line = found[rows == line].view(len(rows), -1)
            assert torch.equal(of_line.all(1), of_line.any(1))
            assert of_line[:, 0].float().mean().item() == pytest.approx(0.2, abs=0.03)
    first = torch.stack([chosen[1::2, 0], chosen[1::2, 1]])
    assert not first.all(0).any()


@pytest.mark.parametrize(("rate", "share"), [(0.0, 0.0), (0.5, 0.5)])
def test_extreme_rates(rate, share):
    lines = torch.tensor([[0, 1, 2, 3]] * 50)
    chosen = choose_lines(lines, rate=rate, generator=torch.Generator().manual_seed(1))
    assert chosen.float().mean().item() == share
    with pytest.raises(ValueError, match=r"rate in 0..0.5, .* got 0.6"):
        choose_lines(lines, rate=0.6, generator=torch.Generator())


def store_of(encoder):
    other = table(10, source_lang=["rus_Latn"] * 10)
    return build_store({"a": concatenate_datasets([table(5), other]), "b": table(3)}, encoder, max_tokens=32)


def test_a_document_ends_with_its_languages_and_its_table(bert_folder):
    ends = document_ends(store_of(load_encoder(bert_folder)))
    assert ends.tolist() == [5] * 5 + [15] * 10 + [18] * 3


@pytest.mark.parametrize("whole_lines", [False, True])
def test_a_step_reads_what_follows(bert_folder, whole_lines):
    encoder = quiet(load_encoder(bert_folder))
    recipe = Recipe(
        tlm=TlmOptions(interlinear=True, whole_lines=whole_lines, rate=0.4), train=TrainOptions(max_tokens=16)
    )
    store = store_of(encoder)
    joint = Batches(store, encoder, recipe)[0, np.array([3, 6, 17])]["joint"]
    assert joint.keys() == {"ids", "attention", "types", "positions", "lengths", "labels"}
    original = torch.where(joint["labels"] == IGNORED, joint["ids"], joint["labels"])
    for row, (start, end) in enumerate([(3, 5), (6, 15), (17, 18)]):
        shown = original[row][joint["attention"][row].bool()].tolist()
        assert len(shown) <= 32
        ways = [[], []]
        for sides, way in zip(((store.source, store.target), (store.target, store.source)), ways, strict=True):
            for at in range(start, end):
                way.append([*sides[0][at].tolist()[bool(way) :], *sides[1][at].tolist()[1:]])
        assert shown in [[*chain(*way[:count])] for way in ways for count in range(1, end - start + 1)]
    assert joint["lengths"] == joint["attention"].sum(1).tolist() and joint["lengths"][1] > 20
    assert (joint["labels"] != IGNORED).any()
    special = torch.isin(original, torch.tensor(encoder.added_ids))
    assert (joint["labels"][special] == IGNORED).all()
    if whole_lines:  # between two ends all is masked, or nothing
        for labels, ids in zip(joint["labels"].tolist(), original.tolist(), strict=True):
            kinds, line = [], set()
            for label, piece in zip(labels, ids, strict=True):
                if piece == 3:
                    kinds.append(line)
                    line = set()
                elif piece not in (0, 2):
                    line.add(label != IGNORED)
            assert all(len(kind) == 1 for kind in kinds), kinds


def test_both_orders_come(bert_folder):
    encoder = load_encoder(bert_folder)
    recipe = Recipe(tlm=TlmOptions(interlinear=True), train=TrainOptions(max_tokens=32))
    batches = Batches(store_of(encoder), encoder, recipe)
    joints = [batches[number, np.array([1, 2])]["joint"] for number in range(10)]
    greek = [bool(row[1] >= 31) for joint in joints for row in torch.where(
        joint["labels"] == IGNORED, joint["ids"], joint["labels"]
    )]  # fmt: skip
    assert 3 < sum(greek) < 17
    again = batches[3, np.array([1, 2])]["joint"]
    assert torch.equal(again["ids"], joints[3]["ids"]) and torch.equal(again["labels"], joints[3]["labels"])


def test_it_trains(bert_folder, tmp_path):
    options = TrainOptions(steps=30, batch_size=8, learning_rate=5e-3, max_tokens=32, warmup=0.0, log_every=1)
    recipe = Recipe(tlm=TlmOptions(interlinear=True, whole_lines=True, rate=0.3), train=options)
    losses = [
        row["tlm"]
        for row in train(load_encoder(bert_folder), table(), recipe, tmp_path / "out", progress=False)["losses"]
    ]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_messages():
    with pytest.raises(InputError, match=r"tlm.restart_positions cannot count anew: expected one of them"):
        Recipe(tlm=TlmOptions(interlinear=True, restart_positions=True))
    with pytest.raises(InputError, match=r"tlm.rate must be at most 0.5, got 0.6"):
        Recipe(tlm=TlmOptions(whole_lines=True, rate=0.6))
    with pytest.raises(InputError, match=r"train.batch_tokens does not count: it must be 0, got 512"):
        Recipe(tlm=TlmOptions(interlinear=True), train=TrainOptions(batch_tokens=512))
