"""Pieces and words of both texts: which piece is of which word, what a step makes of them, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy import quiet, table
from transformers import PreTrainedTokenizerFast

from align.encoders.checkpoint import load_encoder
from align.encoders.lexical.pieces import ALONE, BEGINS, CONTINUES, SPACE, piece_kinds, prompt_pieces
from align.errors import InputError
from align.laboratory.cloning import clone, cloned
from align.objectives.objective import PlainOptions
from align.objectives.word_alignment.alignment_consistency import AlignmentConsistencyOptions, alignment_consistency
from align.objectives.word_alignment.parallel_or_not import parallel_or_not
from align.objectives.word_alignment.piece_states import NO_WORD, PieceStates
from align.objectives.word_alignment.self_alignment import SelfAlignmentOptions, self_alignment
from align.training.batches import Batches
from align.training.options import TrainOptions
from align.training.pieces import word_numbers
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.store import build_store
from align.training.train import train

ROWS = np.array([5, 2, 9, 40])


class Known:
    """An encoder of which only the tokenizer's pieces count."""

    def __init__(self, pieces):
        from tokenizers import Tokenizer, models

        numbers = {piece: i for i, piece in enumerate(pieces)}
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(numbers, pieces[0])))


def kinds_of(*pieces):
    return piece_kinds(Known(pieces)).tolist()


def test_what_a_piece_is():
    assert kinds_of("▁the", "re", "▁", "▁(", ".", "▁१", "ि", "猫", "▁ที่", "▁नम") == [
        BEGINS, CONTINUES, SPACE, ALONE, ALONE, BEGINS, CONTINUES, ALONE, ALONE, BEGINS,
    ]  # fmt: skip
    assert kinds_of("Ġthe", "re", ",", "Ġ") == [BEGINS, CONTINUES, ALONE, SPACE]
    assert kinds_of("the", "##re", ",", "猫", "##") == [BEGINS, CONTINUES, ALONE, ALONE, CONTINUES]
    assert kinds_of("a", "b", "!") == [BEGINS, BEGINS, ALONE]


def test_added_tokens_are_by_themselves():
    encoder = Known(["▁the", "re"])
    encoder.tokenizer.add_tokens(["new", "\U000f0003", "▁so"])
    assert piece_kinds(encoder).tolist() == [BEGINS, CONTINUES, ALONE, ALONE, ALONE]


def test_a_clone_has_the_words_of_the_original():
    encoder = load_encoder("seed")
    twin, texts = clone(encoder), ["In the beginning was the word", "and so on, as it was"]
    rows = [encoder.tokenizer(text)["input_ids"] for text in texts]
    kinds = torch.from_numpy(piece_kinds(twin))
    for row, text in zip(rows, cloned(encoder.tokenizer, texts), strict=True):
        ids = torch.tensor([twin.tokenizer(text)["input_ids"]])
        words = word_numbers(ids, ~torch.isin(ids, torch.tensor(twin.added_ids)), kinds)
        assert words.tolist() == [[NO_WORD, *range(len(row) - 2), NO_WORD]]  # each piece is one


def test_words_by_hand():
    kinds = torch.tensor([BEGINS, CONTINUES, ALONE, SPACE])
    ids = torch.tensor([[1, 0, 1, 2, 1, 1], [0, 3, 2, 1, 3, 1]])
    real = torch.tensor([[False, True, True, True, True, False], [True] * 6])
    # a sign ends a word; the first piece of a text begins one, whatever it is; a bare space is of the next word
    assert word_numbers(ids, real, kinds).tolist() == [[-1, 0, 0, 1, 2, -1], [0, 1, 1, 2, 3, 3]]
    assert word_numbers(ids[:1], torch.tensor([[True] * 6]), kinds).tolist() == [[0, 1, 1, 2, 3, 3]]
    assert word_numbers(ids[:1], real[:1] & False, kinds).tolist() == [[NO_WORD] * 6]


def recipe(**parts):
    return Recipe(train=TrainOptions(steps=30, batch_size=8, learning_rate=5e-3, warmup=0.0, log_every=1), **parts)


def batch_of(encoder, chosen):
    pairs = build_store(table(), encoder, max_tokens=32)
    return Batches(pairs, encoder, chosen)[0, ROWS]


def forward(encoder, chosen, batch):
    module = Alignment(quiet(encoder), chosen)
    return module, module(**{key: value for key, value in batch.items() if key != "rows"})


def test_a_step_is_its_definition(bert_folder):
    encoder = quiet(load_encoder(bert_folder, prompt="ab "))
    chosen = recipe(
        self_alignment=SelfAlignmentOptions(weight=2.0, layer=1, temperature=0.5, threshold=0.1),
        alignment_consistency=AlignmentConsistencyOptions(weight=3.0, layer=1, cosine=True),
    )
    batch = batch_of(encoder, chosen)
    assert "ids" not in batch and encoder.layer == 2
    _, terms = forward(encoder, chosen, batch)
    states, words = [], []
    for side in ("source", "target"):
        texts = [table()[side][row] for row in ROWS]
        ids, attention = encoder.pad(encoder.tokenize(texts))
        width = batch["pieces"]["ids"].shape[1]
        found = encoder.model(ids, attention_mask=attention, output_hidden_states=True).hidden_states[1]
        states.append(torch.nn.functional.pad(found, (0, 0, 0, width - ids.shape[1])))
        # [CLS] a b, and the space, which is of the first word; then a letter is a piece and a word
        assert prompt_pieces(encoder) == 3
        own = [[NO_WORD] * 3 + list(range(len(text) + 1)) for text in texts]
        words.append(torch.tensor([row + [NO_WORD] * (width - len(row)) for row in own]))
    made = PieceStates(*states, *words)
    assert torch.equal(batch["pieces"]["words"], torch.cat(words))
    own = self_alignment(made, temperature=0.5, threshold=0.1)
    consistent = alignment_consistency(made, cosine=True)
    assert terms["self_alignment"].item() == pytest.approx(own.item(), rel=1e-4)
    assert terms["loss"].item() == pytest.approx((2 * own + 3 * consistent).item(), rel=1e-4)


def test_true_and_false_pairs(bert_folder):
    encoder = quiet(load_encoder(bert_folder))
    chosen = recipe(parallel_or_not=PlainOptions())
    batch = batch_of(encoder, chosen)
    assert batch["crossed"]["parallel"].tolist() == [1] * 4 + [0] * 4
    module, terms = forward(encoder, chosen, batch)
    texts = [[table()[side][row] for row in ROWS] for side in ("source", "target")]
    ids = [encoder.tokenize(side) for side in texts]
    joined = [ids[0][i] + ids[1][j % 4][1:] for j in (0, 1) for i, j in zip(range(4), range(j, j + 4), strict=True)]
    rows, attention = encoder.pad(joined)
    vectors = encoder(rows, attention, raw=True)
    expected = parallel_or_not(vectors, batch["crossed"]["parallel"], module.learned["parallel_or_not"])
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_what_means_the_same_is_no_false_pair(bert_folder):
    encoder = load_encoder(bert_folder)
    pairs = build_store(table(group_id=["same"] * 96), encoder, max_tokens=32)
    batch = Batches(pairs, encoder, recipe(parallel_or_not=PlainOptions()))[0, ROWS]
    assert batch["crossed"]["parallel"].tolist() == [1] * 4
    assert Batches(pairs, encoder, recipe(parallel_or_not=PlainOptions()))[0, ROWS[:1]]["crossed"]["lengths"]


def test_it_trains(bert_folder, tmp_path):
    chosen = recipe(
        self_alignment=SelfAlignmentOptions(temperature=0.1, cosine=True),
        alignment_consistency=AlignmentConsistencyOptions(temperature=0.1, cosine=True), parallel_or_not=PlainOptions(),
    )  # fmt: skip
    losses = train(load_encoder(bert_folder), table(), chosen, tmp_path / "out", progress=False)["losses"]
    for name in ("alignment_consistency", "parallel_or_not"):
        first, last = (np.mean([row[name] for row in part]) for part in (losses[:5], losses[-5:]))
        assert last < first, name


def test_layers_are_checked(bert_folder):
    encoder = load_encoder(bert_folder, layer=1)
    with pytest.raises(InputError, match="pieces are read at layer 2, above layer 1, which the encoder pools"):
        Alignment(encoder, recipe(self_alignment=SelfAlignmentOptions(layer=2)))
    with pytest.raises(InputError, match="on pieces read the same layer, got {'alignment_consistency.layer': 2, '"):
        recipe(self_alignment=SelfAlignmentOptions(layer=1), alignment_consistency=AlignmentConsistencyOptions(layer=2))
