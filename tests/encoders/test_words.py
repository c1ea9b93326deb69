from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from encoder_folders import bert, xlmr
from transformers import AutoModel, AutoTokenizer

from align.encoders.checkpoint import load_encoder
from align.encoders.words import word_encoder
from align.errors import InputError

WORDS = ["abc", "a", "zebra", "αβγ", "xyzzyxyzzy", "no on"]
GLOSSES = {"abc": "some letters", "zebra": "an animal", "αβγ": "greek"}


@pytest.fixture(params=[bert, xlmr])
def folder(request, tmp_path):
    return request.param(tmp_path / "model")


def by_definition(folder, word, before="", after="", gloss=None, *, layer=2, average=False, weighted=False):
    """One word at a time through transformers alone: pieces are found by tokenising what is around the word."""
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    given = (before + word + after,) if gloss is None else (before + word + after, gloss)
    inputs = tokenizer(*given, return_tensors="pt", return_token_type_ids=model.config.type_vocab_size > 1)
    with torch.no_grad():
        states = model(**inputs, output_hidden_states=True).hidden_states
    start = 1 + len(tokenizer.tokenize(before.rstrip()))
    end = 1 + len(tokenizer.tokenize(before + word))
    hidden = sum(states[: layer + 1]) / (layer + 1) if average else states[layer]
    weights = [t + 1.0 if weighted else 1.0 for t in range(start, end)]
    vector = sum(w * hidden[0, t] for w, t in zip(weights, range(start, end), strict=True)) / sum(weights)
    return (vector / vector.norm()).numpy()


def test_words_alone_are_what_the_encoder_makes_of_texts(folder):
    for options in ({}, {"special_tokens": False, "layer": 1}, {"kind": "cls"}, {"average_layers": True}):
        encoder = load_encoder(folder, **options)
        assert np.array_equal(word_encoder(encoder)(WORDS, "eng_Latn"), encoder.encode(WORDS))


@pytest.mark.parametrize(("prompt", "template"), [
    ("", "this is {word}."), ("", "{word}"), ("ask: ", "an {word} an {other}"), ("", "an{word}an"),
])  # fmt: skip
def test_a_template_pools_the_word_only(folder, prompt, template):
    before, after = template.split("{word}")
    for special in (True, False):  # either way: the special tokens are not the word
        encoder = load_encoder(folder, prompt=prompt, special_tokens=special)
        vectors = word_encoder(encoder, template=template)(WORDS, "eng_Latn")
        for word, vector in zip(WORDS, vectors, strict=True):
            assert np.abs(by_definition(folder, word, prompt + before, after) - vector).max() < 1e-5, word


def test_layers_kinds_and_lengths(folder):
    settings = {"layer": 1, "average_layers": True, "kind": "weighted"}
    expected = by_definition(folder, "abc", "is ", " on", layer=1, average=True, weighted=True)
    (vector,) = word_encoder(load_encoder(folder, **settings), template="is {word} on")(["abc"], "eng_Latn")
    assert np.abs(vector - expected).max() < 1e-5
    encoder = load_encoder(folder)
    encoder.unit = False
    (raw,) = word_encoder(encoder, template="is {word} on")(["abc"], "eng_Latn")
    assert abs(np.linalg.norm(raw) - 1) > 1e-2
    assert np.abs(raw / np.linalg.norm(raw) - by_definition(folder, "abc", "is ", " on")).max() < 1e-5


@pytest.mark.parametrize("template", [None, "this is {word}."])
@pytest.mark.parametrize("prompt", ["", "ask: "])
def test_a_gloss_is_context_only(folder, template, prompt):
    before, after = (template or "{word}").split("{word}")
    encode = word_encoder(load_encoder(folder, prompt=prompt), template=template, glosses=GLOSSES)
    for word, vector in zip(WORDS, encode(WORDS, "eng_Latn"), strict=True):
        expected = by_definition(folder, word, prompt + before, after, GLOSSES.get(word))
        assert np.abs(expected - vector).max() < 1e-5, word
    plain = word_encoder(load_encoder(folder, prompt=prompt), template="{word}")
    assert np.abs(encode(["abc"], "eng_Latn") - plain(["abc"], "eng_Latn")).max() > 1e-3


def test_the_gloss_is_the_second_token_type(tmp_path):
    folder = bert(tmp_path / "model")
    model = AutoModel.from_pretrained(folder)
    before = word_encoder(load_encoder(folder), glosses=GLOSSES)(["abc", "a"], "eng_Latn")
    with torch.no_grad():
        model.embeddings.token_type_embeddings.weight[1, :8] += 1
    model.save_pretrained(folder)
    after = word_encoder(load_encoder(folder), glosses=GLOSSES)(["abc", "a"], "eng_Latn")
    moved = np.abs(after - before).max(1)
    assert moved[0] > 1e-3
    assert moved[1] == 0


def test_batches_and_order_change_nothing(folder, monkeypatch):
    encoder = load_encoder(folder)
    vectors = word_encoder(encoder, template="is {word}", glosses=GLOSSES)(WORDS, "eng_Latn")
    monkeypatch.setattr("align.encoders.batching.CHUNK", 2)
    encode = word_encoder(encoder, template="is {word}", glosses=GLOSSES, batch_tokens=1)
    assert np.abs(encode(WORDS[::-1], "eng_Latn")[::-1] - vectors).max() < 1e-6
    assert encode([], "eng_Latn").shape == (0, 16)


def test_a_long_gloss_is_cut_and_a_long_word_is_refused(folder):
    encoder = load_encoder(folder, max_tokens=24)
    encode = word_encoder(encoder, glosses={"abc": "x" * 200, "y" * 30: "on"})
    assert np.isfinite(encode(["abc"], "eng_Latn")).all()
    for words, glosses in (["a", "y" * 30], {}), (["y" * 30], {"y" * 30: "on"}):
        with pytest.raises(InputError, match="the word 'y{30}' with its context is over 24 tokens"):
            word_encoder(encoder, glosses=glosses)(words, "eng_Latn")
    with pytest.raises(InputError, match="the word 'abcd' with its context is over 24 tokens"):
        word_encoder(encoder, template="x" * 20 + " {word}")(["abcd"], "eng_Latn")  # cut in the middle
    whole = word_encoder(encoder, template="{word} " + "x" * 200)
    assert np.isfinite(whole(["abcd"], "eng_Latn")).all()  # only what comes after it is cut


def test_messages(folder, monkeypatch):
    encoder = load_encoder(folder)
    for template in ("this is it", "{word} {word}", ""):
        with pytest.raises(InputError, match=f"a template needs {{word}} once, got '{template}'"):
            word_encoder(encoder, template=template)
    with pytest.raises(InputError, match="cls pooling reads no subword: with a template or glosses pool by mean"):
        word_encoder(load_encoder(folder, kind="cls"), glosses={})
    encode = word_encoder(encoder, template="this is {word}.")
    with pytest.raises(InputError, match="the word '' has no subword"):
        encode(["abc", ""], "eng_Latn")
    with pytest.raises(InputError, match="a word encoder needs a list of words, got one string"):
        encode("abc", "eng_Latn")
    encoder.tokenizer = SimpleNamespace(is_fast=False)
    with pytest.raises(InputError, match="need a fast tokenizer, to find the word: SimpleNamespace is slow"):
        word_encoder(encoder, template="{word}")


def test_a_lone_surrogate_is_a_character_like_another(folder):
    encode = word_encoder(load_encoder(folder), template="is {word} on")
    assert np.array_equal(encode(["a\ud800b"], "eng_Latn"), encode(["a\ufffdb"], "eng_Latn"))
