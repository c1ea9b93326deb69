"""Text in scripts that the tokenizer cannot read is romanised before it is tokenised; all other keeps its vectors."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import tiny_bert
from sentence_transformers import SentenceTransformer
from toy import table

from align import index, load_encoder, load_recipe, route, save_encoder, save_vectors, search, train, trim
from align.encoders.fallback import Fallback, opened
from align.encoders.layers import encode_layers
from align.encoders.words import word_encoder
from align.errors import InputError
from align.text.romanize.romanizer import romanizer_version
from align.training.tokens import token_block, tokenizer_digest

RUSSIAN, ROMAN = ["кот", "мама мыла раму", "да, нет"], ["kot", "mama myla ramu", "da, net"]
READ = ["abc", "αβγ", "a кот bcd", "", "12, 3", "-", "αβг"]


@pytest.fixture
def plain(bert_folder):
    return load_encoder(bert_folder)


@pytest.fixture
def encoder(bert_folder):
    """The letters of Latin and Greek are pieces; those of Cyrillic are not."""
    made = load_encoder(bert_folder)
    made.fallback = Fallback(("Cyrl",))
    return made


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("кот", "kot"), ("кот abc", "kot abc"), ("аб abc", "аб abc"), ("a аб", "a ab"), ("αβ абв γ", "αβ абв γ"),
        ("αβ абвг", "αβ abvg"), ("", ""), ("12", "12"), ("á абв", "á abv"), ("a\u0301 абв", "a\u0301 abv"),
        ("абв: 1", "abv: 1"), ("аб ab", "ab ab"), ("ab аб", "ab аб"), (" кот\n", " kot\n"),
    ],
)  # fmt: skip
def test_which_text_is_romanised_and_what_of_it_stays(text, written):
    assert Fallback(("Cyrl",))([text]) == [written]


def test_nothing_but_the_text_decides():
    fallback = Fallback(("Cyrl", "Grek"))
    texts = ["кот", "abc", "αβγ", "abc кот дом"]
    assert fallback(texts) == [fallback([text])[0] for text in texts] == ["kot", "abc", "abg", "abc kot dom"]
    assert fallback([]) == [] and fallback.scripts == ("Cyrl", "Grek") == Fallback(("Grek", "Cyrl", "Grek")).scripts


def test_readable_text_keeps_its_vectors_to_the_bit(encoder, plain):
    mixed = [text for pair in zip(READ[:3], RUSSIAN, strict=True) for text in pair]
    assert encoder.tokenize(READ) == plain.tokenize(READ)
    assert np.array_equal(encoder.encode(READ), plain.encode(READ))
    assert encoder.tokenize(mixed)[::2] == plain.tokenize(READ[:3])
    assert np.array_equal(encoder.encode(RUSSIAN), plain.encode(ROMAN))
    assert not np.allclose(plain.encode(RUSSIAN), plain.encode(ROMAN))


def test_the_prompt_has_no_say(encoder, plain):
    encoder.prompt = plain.prompt = "query "
    assert encoder.tokenize(RUSSIAN) == plain.tokenize(ROMAN)


def test_all_that_reads_text_reads_it_so(encoder, plain, tmp_path):
    assert np.array_equal(encode_layers(encoder, RUSSIAN), encode_layers(plain, ROMAN))
    inside = [
        word_encoder(one, template="a {word} b.", glosses={word: gloss})([word, "abc"], "rus_Cyrl")
        for one, word, gloss in ((encoder, "кот", "мама"), (plain, "kot", "mama"))
    ]
    assert np.array_equal(*inside)
    for one, texts in ((encoder, RUSSIAN), (plain, ROMAN)):  # the pairs of a training
        ids, lengths = token_block(texts, one, max_tokens=9)
        assert ids.tolist() == [i for row in plain.tokenize(ROMAN, max_tokens=9) for i in row] and len(lengths) == 3
    assert tokenizer_digest(encoder) != tokenizer_digest(plain)
    (tmp_path / "lines.txt").write_text("кот\n", encoding="utf-8")
    trim(encoder, [tmp_path / "lines.txt"], tmp_path / "small")
    small = load_encoder(tmp_path / "small")
    assert small.fallback == encoder.fallback and np.array_equal(small.encode(["кот"]), plain.encode(["kot"]))


def test_saved_and_loaded_it_is_the_same(encoder, plain, tmp_path):
    encoder.fallback = Fallback(("Cyrl",), about={"threshold": {"unknown": 0.5}})
    encoder.prompt = plain.prompt = "ab "
    save_encoder(encoder, tmp_path / "saved")
    again = load_encoder(tmp_path / "saved")
    assert again.identity() == encoder.identity()
    assert again.identity() == plain.identity() | {"fallback": {"scripts": ["Cyrl"], "romanizer": romanizer_version()}}
    assert again.fallback.about == {"threshold": {"unknown": 0.5}}
    assert np.array_equal(again.encode(RUSSIAN), plain.encode(ROMAN))
    card = (tmp_path / "saved" / "README.md").read_text()
    assert "is romanised by uroman" in card and "tokenised: Cyrl." in card
    save_encoder(again, tmp_path / "again")
    assert (tmp_path / "again" / "README.md").read_text() == card  # said once
    rounded = load_encoder(tmp_path / "saved", bf16=True)
    assert rounded.identity() == encoder.identity()


def test_sentence_transformers_romanises_by_a_module_that_it_asks_to_trust(encoder, plain, tmp_path):
    encoder.prompt = plain.prompt = "query "
    save_encoder(encoder, tmp_path / "saved")
    with pytest.raises(ValueError, match="trust_remote_code=True"):
        SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    loaded = SentenceTransformer(str(tmp_path / "saved"), device="cpu", trust_remote_code=True)
    for texts in (RUSSIAN, READ[:3]):
        assert loaded.encode(texts) == pytest.approx(encoder.encode(texts), abs=1e-6)
    loaded.save_pretrained(str(tmp_path / "theirs"))
    theirs = SentenceTransformer(str(tmp_path / "theirs"), device="cpu", trust_remote_code=True)
    assert theirs.encode(RUSSIAN) == pytest.approx(plain.encode(ROMAN), abs=1e-6)


def test_vectors_are_not_mixed_up(encoder, plain, tmp_path):
    for name, one in (("old", plain), ("new", encoder)):
        index(save_vectors(tmp_path / f"{name}.v", list("123"), one.encode(RUSSIAN), texts=RUSSIAN,
                           encoder=one.identity()), tmp_path / name)  # fmt: skip
    assert [hit[0].text for hit in search(tmp_path / "new", encoder, RUSSIAN, k=1)] == RUSSIAN
    with pytest.raises(InputError, match="another encoder than the index: fallback.romanizer"):
        search(tmp_path / "old", encoder, RUSSIAN, k=1)
    with pytest.raises(InputError, match="another encoder than the index: fallback.romanizer"):
        search(tmp_path / "new", plain, RUSSIAN, k=1)


def test_training_reads_romanised_views_and_keeps_the_fallback(encoder, tmp_path):
    recipe = load_recipe("script_tower", changes=["train.steps=2", "train.batch_size=4", "info_nce.bank=0"])
    rows = table()
    train(encoder, rows, recipe, tmp_path / "tower")
    tower = load_encoder(tmp_path / "tower")
    assert tower.fallback == encoder.fallback
    assert "is romanised by uroman" in (tmp_path / "tower" / "README.md").read_text()


def test_a_tower_reads_the_scripts_that_both_romanise(encoder, plain, tmp_path):
    save_encoder(encoder, tmp_path / "native")
    other = load_encoder(tmp_path / "native")
    other.model.load_state_dict(tiny_bert(seed=1).state_dict(), strict=False)
    both = route(encoder, other, tmp_path / "both", scripts="fallback")
    assert both.route.scripts == ("Cyrl",) and both.route.languages == ()
    for one in (both, load_encoder(tmp_path / "both")):
        assert np.array_equal(one.encode(READ), plain.encode(READ))
        assert np.array_equal(one.encode(RUSSIAN), other.encode(RUSSIAN))
        assert not np.allclose(one.encode(RUSSIAN), encoder.encode(RUSSIAN))
        assert one.identity()["route"] == {
            "fingerprint": other.fingerprint(), "languages": [], "scripts": ["Cyrl"]
        }  # fmt: skip
    loaded = SentenceTransformer(str(tmp_path / "both"), device="cpu", trust_remote_code=True)
    assert loaded.encode(RUSSIAN, task="Cyrl") == pytest.approx(other.encode(RUSSIAN), abs=1e-6)
    assert loaded.encode(READ[:3]) == pytest.approx(plain.encode(READ[:3]), abs=1e-6)
    named = route(encoder, other, tmp_path / "named", scripts="Grek", languages=["rus_Latn"])
    assert named.route.romanised(["кот", "αβ", "kot"], "rus_Cyrl").tolist() == [False, True, True]
    with pytest.raises(InputError, match="romanises no script: expected an encoder that align scripts --out saved"):
        route(plain, plain, tmp_path / "no", scripts="fallback")
    with pytest.raises(InputError, match="weights alone, they differ in fallback"):
        route(encoder, plain, tmp_path / "no", scripts=["Cyrl"])
    with pytest.raises(InputError, match="unknown script 'Cyrx'"):
        route(encoder, other, tmp_path / "no", scripts=["Cyrx"])


def test_what_is_refused(caplog):
    with pytest.raises(InputError, match="scripts to romanise, such as Tibt, got none"):
        Fallback(())
    with pytest.raises(InputError, match="unknown script 'Tibetan'"):
        Fallback(("Tibetan",))
    with pytest.raises(InputError, match="unknown romaniser 'x'"):
        Fallback(("Tibt",), "x")
    saved = Fallback(("Tibt",)).saved()
    assert opened(json.loads(json.dumps(saved))) == Fallback(("Tibt",)) and not caplog.records
    opened(saved | {"romanizer": "uroman 0.1"})
    assert "saved with uroman 0.1, here is uroman" in caplog.text
