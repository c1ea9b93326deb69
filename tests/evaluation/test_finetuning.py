"""An encoder tuned with a linear layer: what is read, what moves, what is kept, and that it learns."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer

from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling
from align.errors import InputError
from align.evaluation.finetuning.learner import EncoderLearner
from align.evaluation.finetuning.tagger import Read, Tagger, tune
from align.tasks.learning import NOT_READ, Examples, Tuning

VOWELS = set("aeiou")


@pytest.fixture
def encoder():
    return Encoder(tiny_bert(), tiny_tokenizer(), Pooling())


def examples(many, seed=0, words=1):
    """Sentences of a word of two letters, or more; the class of a word says whether it begins with a vowel."""
    rng = np.random.default_rng(seed)
    inputs = [tuple("".join(rng.choice(list("abcdeiou"), 2)) for _ in range(words)) for _ in range(many)]
    return Examples(inputs, [np.array([int(word[0] in VOWELS) for word in words]) for words in inputs])


def accuracy(truth):
    def score(found):
        return float(np.mean(np.concatenate(found) == np.concatenate(truth.labels)))

    return score


QUICK = {"epochs": 8, "patience": 8, "rate": 5e-3, "head_rate": 5e-2, "batch": 8}


def test_it_learns_words_and_leaves_the_encoder_alone(encoder):
    before = copy.deepcopy(encoder.state_dict())
    train, dev, test = examples(40), examples(8, 1), examples(8, 2)
    predict = EncoderLearner(encoder).tuned(train, dev, 2, Tuning(**QUICK, score=accuracy(dev)))
    assert accuracy(test)(predict(test.inputs)) > 0.9
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_it_learns_texts(encoder):
    texts = [" ".join(words) for words in examples(40).inputs]
    labels = [np.array([int(text[0] in VOWELS)]) for text in texts]
    part = Examples(texts[:32], labels[:32]), Examples(texts[32:], labels[32:])
    how = Tuning(**QUICK, score=accuracy(part[1]))
    predict = EncoderLearner(encoder).tuned(*part, 2, how)
    found = predict(texts[:32])
    assert accuracy(part[0])(found) > 0.8 and all(one.shape == (1,) for one in found)


def test_one_seed_is_one_tagger(encoder):
    train, test = examples(12, words=3), examples(4, 2, words=3)

    def said(seed):
        torch.rand(3)  # what was drawn before does not count
        learner = EncoderLearner(encoder)
        rows = list(zip(learner.read(train.inputs), train.labels, strict=True))
        tagger = tune(encoder, rows, lambda tagger: 0.0, 2, Tuning(**QUICK | {"epochs": 1}, seed=seed))
        with torch.inference_mode():
            return tagger(learner.read(test.inputs))

    assert torch.equal(said(0), said(0)) and not torch.allclose(said(0), said(1), atol=1e-3)


def test_first_pieces_are_read_where_they_stand(encoder):
    tagger = Tagger(encoder, 3, words=True, seed=0).eval()
    rows = EncoderLearner(encoder).read([("ab", "c"), ("d",), ("efg", "h", "ij")])
    assert [row.places.tolist() for row in rows] == [[1, 3], [1], [1, 4, 6]]  # a space is a piece of the next word
    with torch.no_grad():
        logits = tagger(rows)
        by_hand = []
        for row in rows:
            states = encoder.body(torch.tensor([row.ids])).last_hidden_state[0]
            by_hand += [tagger.head(states[place]) for place in row.places]
    assert torch.allclose(logits, torch.stack(by_hand), atol=1e-5)
    found = np.concatenate(tagger.predict(rows, [2, 1, 3]))
    assert found.tolist() == logits.argmax(1).tolist() and len(set(found)) > 1


def test_each_word_is_learnt_with_its_own_label(encoder, monkeypatch):
    given = []
    monkeypatch.setattr("align.evaluation.finetuning.learner.tune", lambda *learnt, **_: given.append(learnt[1]))
    encoder.max_tokens = 10
    train = Examples([("ab", "c", "d"), ("ab", "c", "defghijk")], [np.array([5, 6, 7]), np.array([5, NOT_READ, 7])])
    EncoderLearner(encoder).tuned(train, train, 8, Tuning())
    assert [labels.tolist() for _, labels in given[0]] == [[5, 6, 7], [5, NOT_READ]]


def test_words_without_a_label_are_not_learnt(encoder):
    (row,) = EncoderLearner(encoder).read([("ab", "c")])
    how = Tuning(**QUICK | {"epochs": 1})
    one = tune(encoder, [(row, np.array([1, NOT_READ]))], lambda tagger: 0.0, 2, how)
    other = tune(encoder, [(row._replace(places=row.places[:1], labels=row.labels[:1]), np.array([1]))],
                 lambda tagger: 0.0, 2, how)  # fmt: skip
    assert one.head.bias.tolist()[1] > 0 > one.head.bias.tolist()[0]
    assert np.sign(other.head.bias.tolist()).tolist() == [-1, 1]


def test_gradients_reach_all_but_frozen_embeddings(encoder):
    for freeze in (True, False):
        tagger = Tagger(copy.deepcopy(encoder), 2, words=True, seed=0)
        tagger.encoder.body.get_input_embeddings().requires_grad_(not freeze)
        tagger(EncoderLearner(tagger.encoder).read([("ab", "c")])).square().sum().backward()
        names = {name for name, one in tagger.named_parameters() if one.grad is not None and one.grad.abs().sum() > 0}
        assert ("encoder.model.bert.embeddings.word_embeddings.weight" in names) is not freeze
        assert {"head.weight", "head.bias"} <= names
        assert any("layer.0.attention" in name for name in names) and any("layer.1.output" in name for name in names)


def test_the_best_epoch_is_kept_and_patience_ends_it(encoder):
    learner, train = EncoderLearner(encoder), examples(8)
    rows = list(zip(learner.read(train.inputs), train.labels, strict=True))
    scores, heads = [0.1, 0.5, 0.5, 0.4, 0.9], []

    def score(tagger):
        heads.append(tagger.head.weight.detach().clone())
        return scores[len(heads) - 1]

    tagger = tune(encoder, rows, score, 2, Tuning(**QUICK | {"epochs": 5, "patience": 2}))
    assert len(heads) == 4 and torch.equal(tagger.head.weight, heads[1]) and not tagger.training
    assert not torch.equal(heads[0], heads[1])


def test_words_that_are_cut_are_not_read(encoder):
    encoder.max_tokens = 6
    (row,) = EncoderLearner(encoder).read([("ab", "cd", "ef")])
    assert (row.labels.tolist(), row.places.tolist(), len(row.ids)) == ([0], [1], 6)  # [CLS] a b _ c: cd is cut
    tagger = Tagger(encoder, 2, words=True, seed=0)
    (found,) = tagger.predict([row], [3])
    assert found[0] in (0, 1) and found[1:].tolist() == [NOT_READ] * 2
    assert [one.tolist() for one in tagger.predict([], [])] == []


def test_nothing_to_learn_and_bad_losses_are_refused(encoder):
    read = EncoderLearner(encoder).read([("ab",)])
    with pytest.raises(InputError, match="reads no label of the training part"):
        tune(encoder, [(read[0], np.array([NOT_READ]))], lambda tagger: 0.0, 2, Tuning())
    broken = copy.deepcopy(encoder)
    with torch.no_grad():
        broken.model.bert.embeddings.LayerNorm.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="epoch 1: the loss is nan; lower rate"):
        tune(broken, [(read[0], np.array([1]))], lambda tagger: 0.0, 2, Tuning())


def test_a_text_is_read_by_its_pooling(encoder):
    tagger = Tagger(encoder, 2, words=False, seed=0).eval()
    rows = [Read(ids, None, np.zeros(1, dtype=np.int64)) for ids in encoder.tokenize(["ab c", "d"])]
    vectors = torch.from_numpy(encoder.encode(["ab c", "d"], raw=True))
    with torch.no_grad():
        assert torch.allclose(tagger(rows), tagger.head(vectors), atol=1e-5)
