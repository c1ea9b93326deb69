from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer

from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling
from align.errors import InputError
from align.laboratory import cloning
from align.laboratory.cloning import clone, cloned, is_cloned, mixed, shares
from align.laboratory.likeness import by_layer, gradients, one_way, retrieval

TEXTS = ["abc", "ba x", "", "ζηθ", "[UNK]q7"]
V = len(tiny_tokenizer())


@pytest.fixture
def encoder():
    return Encoder(tiny_bert(), tiny_tokenizer(), Pooling())


def shifted(rows, by):
    """By the definition: ids above the special ones, shifted."""
    return [[i + by if i > 4 else i for i in row] for row in rows]


def test_a_clone_is_the_same_text_in_other_ids(encoder):
    twin, plain = clone(encoder, languages=2), encoder.tokenize(TEXTS)
    for language in (0, 1, 2):
        texts = cloned(encoder.tokenizer, TEXTS, language=language)
        assert twin.tokenize(texts) == shifted(plain, language * V)
    assert len(twin.tokenizer) == 3 * V == len(twin.model.get_input_embeddings().weight)
    assert np.array_equal(twin.encode(TEXTS), encoder.encode(TEXTS))
    assert encoder.tokenize(TEXTS) == plain and len(encoder.tokenizer) == V  # it stays as it is
    assert twin.model.get_output_embeddings().weight is twin.model.get_input_embeddings().weight


def test_rows_of_a_clone_are_its_own_but_for_loans(encoder):
    own = encoder.model.get_input_embeddings().weight

    def rows(**options):
        return clone(encoder, **options).model.get_input_embeddings().weight[V : 2 * V].detach()

    drawn = rows()
    assert not (drawn == own).any() and torch.equal(drawn, rows()) and not torch.equal(drawn, rows(seed=1))
    assert (drawn.mean(0) - own.mean(0)).abs().max() < 5 * own.std() / V**0.5
    assert 0.8 < drawn.std() / own.std() < 1.2
    assert torch.equal(rows(loans=1.0), own)
    equal = (rows(loans=0.5) == own).all(1).float().mean()
    assert 0.3 < equal < 0.7
    loans = clone(encoder, loans=1.0)
    assert np.allclose(loans.encode(cloned(encoder.tokenizer, TEXTS)), encoder.encode(TEXTS), atol=1e-6)


def test_shares():
    texts = ["abc", "def"] * 200
    some = mixed(tiny_tokenizer(), texts, 0.25, seed=0)
    assert 60 < sum(map(is_cloned, some)) < 140
    assert some == mixed(tiny_tokenizer(), texts, 0.25, seed=0) != mixed(tiny_tokenizer(), texts, 0.25, seed=1)
    assert all(one in (text, *cloned(tiny_tokenizer(), [text])) for one, text in zip(some, texts, strict=True))
    assert mixed(tiny_tokenizer(), texts, 0, seed=0) == texts
    assert not any(map(is_cloned, texts)) and all(map(is_cloned, mixed(tiny_tokenizer(), texts, 1, seed=0)))
    for wrong in ("", "1.5", "0.1_x", "-0.1"):
        with pytest.raises(InputError, match="a schedule is shares from 0 to 1, such as 0.5 or 0.05_0.65_0.65, got"):
            shares(wrong)


def test_what_is_no_clone(encoder, monkeypatch):
    with pytest.raises(InputError, match="expected at least 1 clone and loans of 0 to 1, got 0 and 0.0"):
        clone(encoder, languages=0)
    with pytest.raises(InputError, match=r"got 1 and 1.5"):
        clone(encoder, loans=1.5)
    monkeypatch.setattr(cloning, "LAST", cloning.FIRST + 2 * V - 2)
    with pytest.raises(
        InputError, match=f"1 clones of {V} pieces cannot be written: expected {2 * V - 1} pieces in all"
    ):
        clone(encoder)


def test_likeness_of_a_language_to_its_clone(encoder):
    texts = ["".join(np.random.default_rng(i).permutation(list("abcdefghij"))[:6]) for i in range(24)]
    twins = cloned(encoder.tokenizer, texts)
    same, other = clone(encoder, loans=1.0), clone(encoder)
    assert by_layer(same, texts, twins)["cka"] == pytest.approx([1] * 3, abs=1e-4)
    assert by_layer(same, texts, twins)["partners"] == pytest.approx([1] * 3, abs=1e-5)
    assert max(by_layer(other, texts, twins)["cka"]) < 0.7
    assert gradients(same, texts, twins)[0] > gradients(other, texts, twins)[0]
    assert gradients(other, texts, texts) == pytest.approx([1, 1], abs=1e-5)
    assert all(p.grad is None for p in other.parameters())
    assert retrieval(same, texts, twins) == 1 and retrieval(other, texts, twins) < 0.5
    assert one_way(np.array([[0.9, 0.1], [0.5, 0.5]])) == 0.5  # a tie is no hit
