"""Switched words are found again in the pieces of both texts, and masked or restored as the options say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from datasets import Dataset
from toy import quiet

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.mlm import Head, MlmOptions
from align.objectives.switched_mlm import MASKS, SwitchedMlmOptions, switched_mlm
from align.objectives.word_alignment.piece_states import NO_WORD
from align.training.batches import Batches
from align.training.masking.switched import mask_switched, switched_spans
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.store import build_store
from align.training.train import train

MASK, VOCABULARY = 999, 900


def found(switched, original, words=None, own=None):
    return switched_spans(switched, original, words or [*range(len(switched))], own or [*range(len(original))])


def test_spans_and_what_stood_there_by_hand():
    assert found([1, 2, 3, 4], [1, 2, 3, 4]) == ([-1] * 4, [-100] * 4)
    assert found([1, 9, 3, 8, 5, 6], [1, 2, 3, 4, 5, 6]) == ([-1, 0, -1, 1, -1, -1], [-100, 2, -100, 4, -100, -100])
    # two words become one, one becomes two: spans, but nothing to restore
    assert found([1, 9, 4, 5, 6], [1, 2, 3, 4, 5, 6]) == ([-1, 0, -1, -1, -1], [-100] * 5)
    assert found([1, 9, 8, 3, 5, 6], [1, 2, 3, 5, 6]) == ([-1, 0, 0, -1, -1, -1], [-100] * 6)
    # words of two pieces; one with as many as before, one with fewer
    assert found([7, 1, 2, 9, 5, 6, 7], [7, 1, 2, 3, 4, 5, 8, 7], [0, 1, 1, 2, 3, 3, 4], [0, 1, 1, 2, 2, 3, 3, 4]) == (
        [-1, -1, -1, 0, 0, 0, -1], [-100, -100, -100, -100, 5, 8, -100],
    )  # fmt: skip
    # what is no word is in no span, whatever it is
    assert found([0, 1, 9, 3, 2], [0, 1, 5, 3, 2], [NO_WORD, 0, 1, 2, NO_WORD], [NO_WORD, 0, 1, 2, NO_WORD]) == (
        [-1, -1, 0, -1, -1], [-100, -100, 5, -100, -100],
    )  # fmt: skip


def test_a_translation_is_no_original():
    assert found([1, 2, 3, 4], [9, 8, 7, 6]) == ([-1] * 4, [-100] * 4)
    assert found([1, 2, 3, 4], [1, 2, 7, 6])[0] == [-1, -1, 0, 0]  # half is enough
    assert found([], [1]) == ([], [])


def masked(options, *, rows=400, seed=0):
    """Texts of 12 words between two special tokens; words 2 and 3 are one span, word 7 another; then another text."""
    one = [0, *range(10, 22), 1]
    text = [0, 10, 11, 102, 103, 14, 15, 16, 107, 18, 19, 20, 21, 1]
    ids, originals = torch.tensor([text] * rows + [one]), torch.tensor([one] * rows)
    words = torch.tensor([NO_WORD, *range(12), NO_WORD]).repeat(rows + 1, 1)
    got, labels = mask_switched(
        ids, words, originals, words[:rows], options, special=torch.tensor([0, 1]), mask_id=MASK, vocabulary=VOCABULARY,
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    assert torch.equal(got[-1], ids[-1]) and (labels[-1] == -100).all()  # the text below
    return ids[:rows], got[:rows], labels[:rows]


INSIDE = [3, 4, 8]
SPAN = [3, 4]


def test_restored_pieces_are_predicted_from_the_text_as_it_is():
    ids, got, labels = masked(SwitchedMlmOptions(mask="restore"), rows=2)
    assert torch.equal(got, ids)
    assert labels[0].tolist() == [-100, -100, -100, 12, 13, -100, -100, -100, 17, *[-100] * 5]


def test_whole_spans():
    ids, got, labels = masked(SwitchedMlmOptions(mask="wep"))
    assert torch.equal(labels[:, INSIDE], ids[:, INSIDE]) and (labels != -100).sum() == labels[:, INSIDE].numel()
    hidden = got == MASK
    assert torch.equal(hidden[:, 3], hidden[:, 4])  # all of a span or nothing
    assert not torch.equal(hidden[:, 3], hidden[:, 8])  # spans by themselves
    assert hidden[:, [3, 8]].float().mean() == pytest.approx(0.8, abs=0.04)
    assert torch.equal(got[~hidden], ids[~hidden])
    _, got, labels = masked(SwitchedMlmOptions(mask="wep", rate=0.5))
    chosen = labels != -100
    assert torch.equal(chosen[:, 3], chosen[:, 4])
    assert chosen[:, [3, 8]].float().mean() == pytest.approx(0.5, abs=0.06)
    assert ((got == MASK) <= chosen).all()


@pytest.mark.parametrize("mask", ["pep_m", "pep_ms", "pep_mrs"])
def test_pieces_of_spans(mask):
    options = SwitchedMlmOptions(mask=mask, rate=0.6, random=0.15)
    ids, got, labels = masked(options, rows=1500)
    inside, drawn = labels[:, INSIDE], got[:, INSIDE]
    chosen, hidden, same = inside != -100, drawn == MASK, drawn == ids[:, INSIDE]
    assert not torch.equal(hidden[:, 0], hidden[:, 1])  # each piece by itself
    assert hidden.float().mean() == pytest.approx(0.6 * 0.8, abs=0.03)
    assert (hidden <= chosen).all() and torch.equal(inside[chosen], ids[:, INSIDE][chosen])
    other = ~hidden & ~same
    expected = {"pep_m": (0.48, 0, 0), "pep_ms": (0.6, 0, 0.12), "pep_mrs": (0.6, 0.09, 0.03)}[mask]
    for part, share in zip((chosen, other, chosen & same), expected, strict=True):
        assert part.float().mean() == pytest.approx(share, abs=0.02)
    assert (labels[:, [0, 1, 2, 5, 13]] == -100).all()


def test_others_beside_as_masked_language_modelling_has_them():
    ids, got, labels = masked(SwitchedMlmOptions(mask="wep", rate=0.5, others=0.15), rows=1500)
    rest = [1, 2, 5, 6, 7, 9, 10, 11, 12]
    chosen = labels[:, rest] != -100
    assert chosen.float().mean() == pytest.approx(0.15, abs=0.01)
    assert (got[:, rest] == MASK).float().mean() == pytest.approx(0.12, abs=0.01)
    assert (labels[:, [0, 13]] == -100).all() and torch.equal(got[:, [0, 13]], ids[:, [0, 13]])


def test_the_seed_decides():
    options = SwitchedMlmOptions(mask="pep_mrs", others=0.2)
    one, same, other = (masked(options, rows=20, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one[1], same[1]) and not torch.equal(one[1], other[1])


def test_the_loss_is_the_mean_of_the_cross_entropies_with_gradients_to_all():
    rng = torch.Generator().manual_seed(0)
    states = torch.randn(5, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(7, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(7, generator=rng, dtype=torch.float64, requires_grad=True)
    truth = torch.tensor([0, 6, 3, 3, 1])
    head = Head(lambda x: x.tanh(), weight, bias)
    value = switched_mlm(states, truth, head)
    logits = states.tanh() @ weight.T + bias
    expected = -logits.log_softmax(1)[range(5), truth].mean()
    assert value.item() == pytest.approx(expected.item())
    assert switched_mlm(states, truth, head, count=10).item() == pytest.approx(expected.item() / 2)
    for one in (states, weight, bias):
        made, wanted = (torch.autograd.grad(of, one, retain_graph=True)[0] for of in (value, expected))
        assert torch.allclose(made, wanted) and made.abs().sum() > 0
    nothing = switched_mlm(states[:0], truth[:0], head)
    nothing.backward()
    assert nothing.item() == 0 and states.grad is not None and not states.grad.any()


TEXTS = [("abcdxf", "abcdef"), ("qbcdez", "abcdef"), ("abcdef", "uvwxyz")]


@pytest.fixture
def encoder(bert_folder):
    return quiet(load_encoder(bert_folder))


def recipe(mask="wep", **options):
    return Recipe(
        switched_mlm=SwitchedMlmOptions(mask=mask, **options), train=TrainOptions(batch_size=3, max_tokens=12, steps=2)
    )


def pairs(times=1):
    rows = [{"source": s, "target": t, "source_lang": "eng_Latn", "target_lang": "eng_Latn", "kind": "switched"}
            for s, t in TEXTS] * times  # fmt: skip
    return Dataset.from_list([row | {"group_id": str(i)} for i, row in enumerate(rows)])


@pytest.mark.parametrize("mask", MASKS)
def test_a_batch_and_its_loss_by_transformers(encoder, mask):
    """The loss of the step is that of the model's own masked-LM forward on the ids and labels of the batch."""
    chosen = recipe(mask)
    store = build_store(pairs(), encoder, max_tokens=12)
    batch = Batches(store, encoder, chosen)[(0, np.array([0, 1, 2]))]
    rows = batch.pop("rows")
    ids, labels = batch["ids"], batch["labels"]
    assert len(rows) == 3 and (labels[3:] == -100).all() and (labels[2] == -100).all()  # the third is a translation
    own = encoder.tokenizer([source for source, _ in TEXTS], padding=True, return_tensors="pt")["input_ids"]
    was = encoder.tokenizer([target for _, target in TEXTS], padding=True, return_tensors="pt")["input_ids"]
    differ = (own != was)[:2]
    truth = was if mask == "restore" else own
    wanted = labels[:2, : own.shape[1]]
    assert ((wanted != -100) <= differ).all() and (mask == "pep_m" or torch.equal(wanted != -100, differ))
    assert torch.equal(wanted[wanted != -100], truth[:2][wanted != -100])
    encoder.eval()
    value = Alignment(encoder, chosen)(**batch)["loss"]
    if (labels != -100).any():
        loss = encoder.model(input_ids=ids, attention_mask=batch["attention"], labels=labels).loss
        assert value.item() == pytest.approx(loss.item(), rel=1e-5)


def test_it_learns_what_stood_there(encoder, tmp_path):
    """Letters that became Greek ones are told again."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(48):
        was = [chr(97 + k) for k in rng.permutation(8)]
        text = list(was)
        for place in rng.choice(8, size=2, replace=False):
            text[place] = chr(0x3B1 + ord(was[place]) - 97)
        rows.append({"source": "".join(text), "target": "".join(was), "group_id": str(number)})
    table = Dataset.from_list([row | {"source_lang": "eng_Latn", "target_lang": "eng_Latn"} for row in rows])
    chosen = recipe("restore")
    chosen = replace(chosen, train=replace(chosen.train, steps=60, batch_size=12, learning_rate=1e-2, log_every=1))
    losses = train(encoder, table, chosen, tmp_path / "out", progress=False)["losses"]
    assert losses[-1]["switched_mlm"] < losses[0]["switched_mlm"] / 3


def test_what_masks_the_same_texts_is_refused():
    with pytest.raises(InputError, match="mlm and switched_mlm mask the same texts: expected one of them"):
        Recipe(switched_mlm=SwitchedMlmOptions(), mlm=MlmOptions())
    with pytest.raises(InputError, match="switched_mlm.mask must be restore, wep, pep_m, pep_ms or pep_mrs"):
        Recipe(switched_mlm=SwitchedMlmOptions(mask="pep"))
