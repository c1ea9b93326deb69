"""Words of pre-tokenised sentences against transformers alone, one sentence at a time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from encoder_folders import bert, xlmr
from transformers import AutoModel, AutoTokenizer

from align.encoders.checkpoint import load_encoder
from align.encoders.pretokenised import NO_WORD, word_pieces, word_vectors
from align.errors import InputError

SENTENCES = [["abc", "no", "on"], ["a"], ["b"], [], ["zebra", "", "an", "αβγ", "b c"], ["xyz"] * 7]


@pytest.fixture(params=[bert, xlmr])
def folder(request, tmp_path):
    return request.param(tmp_path / "model")


def by_definition(folder, words, layer, pooling, *, prompt="", average=False):
    """[(word, vector)]: pieces are counted by tokenising the text before and with each word."""
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(prompt + " ".join(filter(None, words)), return_tensors="pt")
    with torch.no_grad():
        states = model(**inputs, output_hidden_states=True).hidden_states
    hidden = (sum(states[: layer + 1]) / (layer + 1) if average else states[layer])[0].numpy()
    rows = []
    for i, word in enumerate(words):
        before = prompt + " ".join([*filter(None, words[:i]), ""])
        start, end = (1 + len(tokenizer.tokenize(text)) for text in (before.rstrip(), before + word))
        pieces = hidden[start:end] if word else []
        if not len(pieces):
            continue
        chosen = {"mean": [np.mean(pieces, axis=0)], "first": [pieces[0]], "all": list(pieces)}[pooling]
        rows += [(i, vector) for vector in chosen]
    return rows


@pytest.mark.parametrize("pooling", ["mean", "first", "all"])
@pytest.mark.parametrize(("prompt", "options"), [("", {}), ("ask: ", {"layer": 1}), ("", {"average_layers": True})])
def test_a_word_is_pooled_from_its_own_pieces(folder, prompt, options, pooling):
    encoder = load_encoder(folder, prompt=prompt, **options)
    found = word_vectors(encoder, SENTENCES, pooling=pooling, batch_tokens=16)
    for words, (vectors, numbers, cut) in zip(SENTENCES, found, strict=True):
        expected = by_definition(
            folder, words, options.get("layer", 2), pooling, prompt=prompt, average="average_layers" in options
        )
        assert numbers.tolist() == [i for i, _ in expected], words
        assert vectors.shape == (len(expected), 16)
        assert vectors.dtype == np.float32
        assert cut == 0
        for vector, (_, other) in zip(vectors, expected, strict=True):
            assert np.abs(vector - other).max() < 1e-5, words


def test_layers_from_one_pass_are_those_of_single_ones(folder):
    encoder = load_encoder(folder)
    found = word_vectors(encoder, SENTENCES, layers=[2, 0, 1])
    assert found[3].vectors.shape == (3, 0, 16)
    for place, k in enumerate([2, 0, 1]):
        alone = word_vectors(load_encoder(folder, layer=k), SENTENCES)
        for one, several in zip(alone, found, strict=True):
            assert np.abs(one.vectors - several.vectors[place]).max(initial=0) < 1e-5


def test_any_layer_after_any_other(folder):
    encoder = load_encoder(folder)
    first = word_vectors(encoder, SENTENCES, layers=[1])
    both = word_vectors(encoder, SENTENCES, layers=[1, 2])
    again = word_vectors(encoder, SENTENCES, layers=[1])
    for one, two, three in zip(first, both, again, strict=True):
        assert np.abs(one.vectors[0] - two.vectors[0]).max(initial=0) < 1e-6
        assert np.array_equal(one.vectors, three.vectors)


def test_batches_and_padding_change_nothing(folder):
    encoder = load_encoder(folder)
    alone = [word_vectors(encoder, [words])[0] for words in SENTENCES]
    encoder.attention = "padded"
    for batch_tokens in (1, 1000):
        for one, other in zip(alone, word_vectors(encoder, SENTENCES, batch_tokens=batch_tokens), strict=True):
            assert np.abs(one.vectors - other.vectors).max(initial=0) < 1e-5
            assert one.words.tolist() == other.words.tolist()
    assert word_vectors(encoder, []) == []


def test_pieces_of_special_tokens_and_of_the_prompt_are_of_no_word(tmp_path):
    encoder = load_encoder(bert(tmp_path / "model"), prompt="ask: ")
    ((ids, words, cut),) = word_pieces(encoder, [["abc", "", "d"]])
    assert words.tolist() == [NO_WORD] * 5 + [0, 0, 0, 2, NO_WORD]  # [CLS] a s k : | a b c | d [SEP]
    assert len(ids) == 10
    assert cut == 0


def test_words_that_do_not_fit_are_counted_and_have_no_row(tmp_path):
    encoder = load_encoder(bert(tmp_path / "model"), max_tokens=9)
    sentences = [
        ["abc", "defg"],
        ["abc", "defgh", "i"],
        ["abcdefghijk"],
        ["abcdefg", "h"],
        ["", "abcdef", "", "bc", "d"],
    ]
    whole, middle, first, last, gaps = word_vectors(encoder, sentences, pooling="all")
    assert (whole.words.tolist(), whole.cut) == ([0, 0, 0, 1, 1, 1, 1], 0)  # 7 pieces and 2 special tokens
    assert (middle.words.tolist(), middle.cut) == ([0, 0, 0], 2)  # half a word is no word
    assert (first.words.tolist(), first.cut) == ([], 1)
    assert (last.words.tolist(), last.cut) == ([0] * 7, 1)
    assert (gaps.words.tolist(), gaps.cut) == ([1] * 6, 2)  # numbers are those of the sentence as it came


def test_the_seed_encoder_reads_as_if_the_words_were_split_by_the_tokenizer():
    encoder = load_encoder("seed")
    words = ["足利", "（", "Ἀχιλῆος", "don’t", "ﬁne", "รถ", "…", "½", "x"]
    ((ids, numbers, _),) = word_pieces(encoder, [words])
    split = encoder.tokenizer([words], is_split_into_words=True)
    assert ids == split["input_ids"][0]
    assert numbers.tolist() == [NO_WORD if n is None else n for n in split.word_ids(0)]


def test_messages(tmp_path):
    encoder = load_encoder(bert(tmp_path / "model"))
    for wrong in ("abc no", ["abc no"]):
        with pytest.raises(InputError, match="expected sentences as lists of words, got one string"):
            word_vectors(encoder, wrong)
    with pytest.raises(InputError, match="unknown pooling of words 'max': expected one of mean, first, all"):
        word_vectors(encoder, SENTENCES, pooling="max")
    with pytest.raises(InputError, match="layer 3 does not exist: the encoder has layers 0 to 2"):
        word_vectors(encoder, SENTENCES, layers=[3])
    with torch.no_grad():
        encoder.model.get_input_embeddings().weight[encoder.tokenizer.convert_tokens_to_ids("r")] = float("nan")
    with pytest.raises(InputError, match="gives NaN or infinity for sentence 4: 'zebra  an αβγ b c'"):
        word_vectors(encoder, SENTENCES)
    encoder.tokenizer = SimpleNamespace(is_fast=False)
    with pytest.raises(InputError, match="words need a fast tokenizer, to find their pieces: SimpleNamespace is slow"):
        word_vectors(encoder, SENTENCES)


def test_a_lone_surrogate_is_a_character_like_another(folder):
    encoder = load_encoder(folder)
    (one,), (other,) = (word_vectors(encoder, [["a", text, "b"]]) for text in ("a\ud800b", "a\ufffdb"))
    assert np.array_equal(one.vectors, other.vectors)
