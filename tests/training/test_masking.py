from __future__ import annotations

import pytest
import torch

from align.objectives.mlm import IGNORED
from align.training.masking.texts import join, join_pairs, mask_tokens, padded_joints

A, B = [0, 10, 11, 2], [0, 20, 21, 22, 2]  # <s> a a </s> and <s> b b b </s>


def test_one_sequence_of_two_texts():
    joint = join(A, B, begin=0, max_tokens=20)
    assert joint.ids == [0, 10, 11, 2, 20, 21, 22, 2]
    assert joint.types == [0, 0, 0, 0, 1, 1, 1, 1]
    assert joint.positions == list(range(8))


def test_restarted_positions_keep_the_second_start():
    joint = join(A, B, begin=0, max_tokens=20, restart=True)
    assert joint.ids == A + B
    assert joint.positions == [0, 1, 2, 3, 0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("lengths", "limit", "kept"),
    [
        ((30, 30), 20, (10, 10)), ((30, 6), 20, (14, 6)), ((6, 30), 20, (6, 14)), ((9, 30), 21, (9, 12)),
        ((5, 5), 20, (5, 5)),
    ],
)  # fmt: skip
def test_the_longer_text_loses_its_end_first(lengths, limit, kept):
    first, second = ([0, *range(base, base + n - 2), 2] for base, n in zip((100, 200), lengths, strict=True))
    second = [*second[:-1], 299, 2]  # one more, for the start that is dropped
    joint = join(first, second, begin=0, max_tokens=limit)
    a, b = joint.ids[: kept[0]], joint.ids[kept[0] :]
    assert (len(a), len(b)) == kept
    assert len(joint.ids) <= limit
    assert a[0] == 0
    assert a[-1] == b[-1] == 2  # the end of each text stays
    assert a[1:-1] == first[1 : kept[0] - 1]
    assert b[:-1] == second[1 : kept[1]]


def test_a_limit_without_room():
    with pytest.raises(ValueError, match="at least 6 tokens, got a limit of 5"):
        join(A, B, begin=0, max_tokens=5)


def test_the_order_is_random_and_a_function_of_the_generator():
    many = [[0, 10, 2]] * 40, [[0, 20, 2]] * 40

    def made(seed):
        joints = join_pairs(*many, begin=0, max_tokens=20, generator=torch.Generator().manual_seed(seed))
        return [joint.ids for joint in joints]

    assert made(0) == made(0)
    assert made(0) != made(1)
    leading = [ids[1] for ids in made(0)]
    assert 8 < leading.count(10) < 32
    assert {tuple(ids) for ids in made(0)} == {(0, 10, 2, 20, 2), (0, 20, 2, 10, 2)}


def test_padding():
    joints = [join(A, B, begin=0, max_tokens=20), join(A, A, begin=0, max_tokens=20)]
    batch = padded_joints(joints, pad_id=1)
    assert batch["ids"].shape == (2, 8)
    assert batch["ids"][1].tolist() == [0, 10, 11, 2, 10, 11, 2, 1]
    assert batch["attention"][1].tolist() == [1] * 7 + [0]
    assert batch["types"][1].tolist() == [0] * 4 + [1] * 3 + [0]
    assert batch["positions"][1].tolist() == [*range(7), 0]


def draw(rate=0.15, seed=0, n=40_000):
    ids = torch.full((4, n // 4), 50)
    maskable = torch.ones_like(ids, dtype=torch.bool)
    maskable[:, 0] = False
    generator = torch.Generator().manual_seed(seed)
    return (*mask_tokens(ids, maskable, rate=rate, mask_id=1, vocabulary=1000, generator=generator), ids, maskable)


def test_shares_of_masking():
    masked, labels, ids, maskable = draw()
    chosen = labels != IGNORED
    n = chosen.sum().item()
    assert n / maskable.sum().item() == pytest.approx(0.15, abs=0.01)
    assert (masked[chosen] == 1).sum().item() / n == pytest.approx(0.8, abs=0.02)
    assert (masked[chosen] == 50).sum().item() / n == pytest.approx(0.1, abs=0.02)
    assert torch.equal(masked[~chosen], ids[~chosen])
    assert torch.equal(labels[chosen], ids[chosen])
    assert not chosen[:, 0].any()


def test_masking_is_seeded_and_leaves_its_input():
    first, second, other = draw(seed=3), draw(seed=3), draw(seed=4)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[1], other[1])
    assert (first[2] == 50).all()


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_extreme_rates(rate):
    _, labels, _, maskable = draw(rate=rate)
    assert (labels != IGNORED).sum().item() == rate * maskable.sum().item()


def test_a_rate_that_is_no_share():
    ids = torch.zeros(1, 2, dtype=torch.long)
    with pytest.raises(ValueError, match=r"rate in 0..1, got 1.5"):
        mask_tokens(ids, ids > 0, rate=1.5, mask_id=1, vocabulary=9, generator=torch.Generator())
