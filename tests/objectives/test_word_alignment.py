"""Objectives of word alignment: loops, numbers by hand, gradients to every input, texts without words, messages."""

from __future__ import annotations

import math

import pytest
import torch

from align.objectives.word_alignment.alignment_consistency import alignment_consistency
from align.objectives.word_alignment.parallel_or_not import parallel_or_not
from align.objectives.word_alignment.piece_states import NO_WORD, PieceStates, counted, pointing, word_links
from align.objectives.word_alignment.self_alignment import self_alignment

SOURCE_WORDS = [[NO_WORD, 0, 0, 1, NO_WORD], [NO_WORD, 0, 1, NO_WORD, NO_WORD]]
TARGET_WORDS = [[NO_WORD, 0, 1, 2, 2, NO_WORD], [NO_WORD, 0, 0, 1, NO_WORD, NO_WORD]]


def pieces(seed=0, dtype=torch.float64, grad=False):
    generator = torch.Generator().manual_seed(seed)
    source, target = (
        torch.randn(2, n, 4, generator=generator, dtype=dtype).requires_grad_(grad) for n in (5, 6)
    )  # fmt: skip
    return PieceStates(source, target, torch.tensor(SOURCE_WORDS), torch.tensor(TARGET_WORDS))


def by_loop(made, temperature, cosine, threshold):
    """(self_alignment, alignment_consistency) pair by pair, in plain numbers."""
    own, consistent = [], []
    for b in range(len(made.source)):
        h = {i: made.source[b, i].tolist() for i in range(5) if SOURCE_WORDS[b][i] != NO_WORD}
        k = {j: made.target[b, j].tolist() for j in range(6) if TARGET_WORDS[b][j] != NO_WORD}

        def score(x, y):
            dot = sum(a * c for a, c in zip(x, y, strict=True))
            return (dot / math.hypot(*x) / math.hypot(*y) if cosine else dot) / temperature

        e = {(i, j): math.exp(score(h[i], k[j])) for i in h for j in k}
        p = {(i, j): e[i, j] / sum(e[i, other] for other in k) for i, j in e}
        q = {(i, j): e[i, j] / sum(e[other, j] for other in h) for i, j in e}
        words = {(SOURCE_WORDS[b][i], TARGET_WORDS[b][j]) for i, j in e if p[i, j] > threshold and q[i, j] > threshold}
        linked = [(i, j) for i, j in e if (SOURCE_WORDS[b][i], TARGET_WORDS[b][j]) in words]
        own.append(-sum(p[ij] for ij in linked) / len(h) - sum(q[ij] for ij in linked) / len(k))
        consistent.append(-sum(p[ij] * q[ij] for ij in e) / min(len(h), len(k)))
    return sum(own) / len(own), sum(consistent) / len(consistent)


@pytest.mark.parametrize(("temperature", "cosine", "threshold"), [(1.0, False, 0.3), (0.2, True, 0.4), (2.0, False, 0)])
def test_against_loops(temperature, cosine, threshold):
    for seed in range(5):
        made = pieces(seed)
        own, consistent = by_loop(made, temperature, cosine, threshold)
        found = self_alignment(made, temperature=temperature, cosine=cosine, threshold=threshold)
        assert found.item() == pytest.approx(own, abs=1e-9)
        found = alignment_consistency(made, temperature=temperature, cosine=cosine)
        assert found.item() == pytest.approx(consistent, abs=1e-9)


def test_by_hand():
    # two words of one piece each side; scores log 3 on the diagonal, 0 elsewhere: P = Q = 3/4 there
    states = torch.tensor([[[math.log(3.0), 0.0], [0.0, math.log(3.0)]]])
    made = PieceStates(states, torch.eye(2)[None], torch.tensor([[0, 1]]), torch.tensor([[0, 1]]))
    assert self_alignment(made, threshold=0.5).item() == pytest.approx(-1.5)
    assert self_alignment(made, threshold=0.2).item() == pytest.approx(-2)  # all is linked
    assert self_alignment(made, threshold=0.8).item() == 0
    assert alignment_consistency(made).item() == pytest.approx(-(2 * 9 / 16 + 2 / 16) / 2)
    one = PieceStates(states, torch.eye(2)[None], torch.tensor([[0, 0]]), torch.tensor([[0, 1]]))  # one source word
    assert self_alignment(one, threshold=0.5).item() == pytest.approx(-2)


def test_pointing_and_links():
    made = pieces()
    forward, backward = pointing(made, temperature=0.5)
    real = (made.source_words != NO_WORD)[:, :, None] & (made.target_words != NO_WORD)[:, None, :]
    assert torch.allclose(forward.sum(2), real.any(2).double()) and torch.allclose(
        backward.sum(1), real.any(1).double()
    )
    assert not forward[~real].any() and not backward[~real].any()
    links = word_links(forward, backward, made, threshold=0.3)
    assert not links.requires_grad and set(links.unique().tolist()) <= {0.0, 1.0} and not links[~real].any()
    assert torch.equal(links[0, 1], links[0, 2]) and torch.equal(links[0, :, 3], links[0, :, 4])  # pieces of one word
    assert counted(made.source_words).tolist() == [3, 2]


def test_gradients_reach_both_sides_but_no_padding():
    for function in (lambda made: self_alignment(made, threshold=0.3), alignment_consistency):
        made = pieces(grad=True)
        function(made).backward()
        for states, words in ((made.source, made.source_words), (made.target, made.target_words)):
            moved = states.grad.abs().sum(-1) > 0
            assert moved.any() and not moved[words == NO_WORD].any()

    def sums(source, target):
        made = PieceStates(source, target, torch.tensor(SOURCE_WORDS), torch.tensor(TARGET_WORDS))
        return self_alignment(made, threshold=0.3) + alignment_consistency(made, temperature=0.7, cosine=True)

    made = pieces(grad=True)
    assert torch.autograd.gradcheck(sums, (made.source, made.target))


def test_texts_without_words():
    made = pieces(grad=True)
    empty = PieceStates(made.source, made.target, torch.full((2, 5), NO_WORD), made.target_words)
    for function in (self_alignment, alignment_consistency):
        value = function(empty)
        value.backward()
        assert value.item() == 0
    assert not made.source.grad.any() and made.source.grad.isfinite().all()


def test_half_precision_is_worked_in_float32():
    made = pieces(dtype=torch.float32)
    low = PieceStates(made.source.bfloat16(), made.target.bfloat16(), made.source_words, made.target_words)
    assert self_alignment(low).dtype == torch.float32


def test_other_shapes_are_refused():
    made = pieces()
    for wrong in (
        PieceStates(made.source[0], made.target[0], made.source_words[0], made.target_words[0]),
        PieceStates(made.source[:1], made.target, made.source_words, made.target_words),
        PieceStates(made.source, made.target, made.source_words[:, :2], made.target_words),
        PieceStates(made.source, made.target, made.target_words, made.source_words),
    ):
        with pytest.raises(ValueError, match=r"pieces need \(B, S, D\)"):
            self_alignment(wrong)
    with pytest.raises(ValueError, match="temperature > 0, got 0"):
        alignment_consistency(made, temperature=0)
    with pytest.raises(ValueError, match=r"parallel_or_not needs \(N, D\) and \(N,\), N >= 1"):
        parallel_or_not(torch.zeros(2, 3), torch.zeros(3, dtype=torch.long), torch.nn.Linear(3, 2))


def test_parallel_or_not():
    head = torch.nn.Linear(2, 2, dtype=torch.float64)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        head.bias.zero_()
    vectors = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    loss = parallel_or_not(vectors, torch.tensor([1, 0]), head)
    assert loss.item() == pytest.approx((-math.log(3 / 4) + math.log(2)) / 2)
    loss.backward()
    assert vectors.grad.abs().sum(1).min() > 0 and head.weight.grad.any() and head.bias.grad.any()
    assert torch.autograd.gradcheck(lambda x: parallel_or_not(x, torch.tensor([1, 0]), head), (vectors,))
