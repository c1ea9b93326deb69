"""Hidden parts of texts, restored by the masked-LM head; against the whole model, one text at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy import words

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.evaluation.cloze import cloze

TEXTS = ["abc def", "ghi klmno p", "qr"]
PLACES = [(0, 3), (4, 9), (0, 2)]
PARTS = ["abc", "klmno", "qr"]


def logits(encoder, text, place):
    """Log p at the hidden letters, by the model itself, and their ids; letters are pieces."""
    ids = torch.tensor(encoder.tokenize([text]))
    at = torch.arange(place[0], place[1]) + 1  # behind the special token
    if place[0]:
        at = torch.cat([at[:1] - 1, at])  # the space before counts
    truth = ids[0, at]
    hidden = ids.clone()
    hidden[0, at] = encoder.tokenizer.mask_token_id
    with torch.no_grad():
        return encoder.model(hidden).logits[0, at].log_softmax(-1), truth


def test_against_the_whole_model(bert_folder):
    encoder = load_encoder(bert_folder)
    made = cloze(encoder, TEXTS, PLACES, batch_tokens=12)
    assert made.pieces.tolist() == [3, 6, 2]
    for row, (text, place) in enumerate(zip(TEXTS, PLACES, strict=True)):
        logp, truth = logits(encoder, text, place)
        assert made.nats[row] == pytest.approx(-logp[range(len(truth)), truth].mean().item(), abs=1e-5)
        assert made.hits[row] == bool((logp.argmax(1) == truth).all())
    assert not made.found.any() and not made.others.any()


def test_a_head_that_knows_hits(bert_folder):
    """A head whose bias says a always: hits where all that is hidden is that letter."""
    encoder = load_encoder(bert_folder)
    letter = encoder.tokenize(["a"])[0][1]
    encoder.model.cls.predictions.bias.data[letter] += 1e4
    made = cloze(encoder, ["aa bc", "ab c", "bc"], [(0, 2), (0, 2), (0, 2)], among=["aa", "ab", "xy", "a"])
    assert made.hits.tolist() == [True, False, False]
    assert made.found[0] and not made.found[1]
    assert made.others.tolist() == [2, 2, 3]  # of as many pieces, other than what stands there


def test_among_is_by_the_sum_over_the_pieces(bert_folder):
    encoder = load_encoder(bert_folder)
    names = [word for word in words(200) if len(word) == 3]
    made = cloze(encoder, [f"{name} def" for name in names], [(0, 3)] * len(names), among=names)
    totals = []
    for name in names:
        logp, _ = logits(encoder, f"{name} def", (0, 3))
        ids = torch.tensor([encoder.tokenize([one])[0][1:4] for one in names])
        totals.append(logp[torch.arange(3), ids].sum(1))
    best = [int(one.argmax()) == row for row, one in enumerate(totals)]
    assert made.found.tolist() == best
    assert sum(best) == 1  # what is hidden is not read
    assert set(made.others.tolist()) == {len({*names}) - 1}


def test_equal_candidates_are_ties_against_the_model(bert_folder):
    encoder = load_encoder(bert_folder)
    table = encoder.model.cls.predictions.decoder
    a, b = (encoder.tokenize([letter])[0][1] for letter in "ab")
    table.weight.data[b] = table.weight.data[a]
    encoder.model.cls.predictions.bias.data[b] = encoder.model.cls.predictions.bias.data[a]
    assert not cloze(encoder, ["a cd"], [(0, 1)], among=["a", "b"]).found[0]


def test_refused(bert_folder):
    encoder = load_encoder(bert_folder)
    with pytest.raises(InputError, match="no part of 'abc', of 3 characters: 2 to 9"):
        cloze(encoder, ["abc"], [(2, 9)])
    empty = cloze(encoder, [], [])
    assert all(len(column) == 0 for column in empty)
    encoder.model = encoder.body
    with pytest.raises(InputError, match="without a masked-LM head"):
        cloze(encoder, TEXTS, PLACES)
    assert np.array_equal(cloze(load_encoder(bert_folder), TEXTS, PLACES).hits, [False] * 3)
