"""How a tokenizer reads each script: shares counted by hand, thresholds, and what follows from them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import tiny_bert
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from align import load_encoder, route, save_encoder, scripts
from align.encoders.encoder import Encoder
from align.encoders.fallback import Fallback
from align.encoders.pooling import Pooling
from align.encoders.readability import knows, letters_of, poor_pieces, sums, unknown_letters
from align.encoders.vocabulary import pieces_by_script
from align.errors import InputError


@pytest.fixture
def encoder(bert_folder):
    """a..z and alpha..omega are pieces, a letter each; there is no other."""
    return load_encoder(bert_folder)


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "lines.txt"
    file.write_text("abc d\nabcé\nαβ\n12\n\nкот\nкот a\n", encoding="utf-8")
    return file


def test_shares_by_hand(encoder, text):
    lines = text.read_text().split("\n")
    found = sums(encoder.tokenizer, lines, poor_pieces(encoder.tokenizer))
    # "abc d" is a b c [UNK of the space] d; "abcé" is a b c [UNK]; "кот a" is four unknown pieces and a
    assert found == {"Latn": [2, 8, 1, 9], "Grek": [1, 2, 0, 2], "Cyrl": [2, 7, 6, 8]}


def test_bytes_are_no_reading():
    """A tokenizer with byte pieces for what it does not know: of the letters, those in bytes are unknown."""
    names = ["<unk>", "▁", "a", "b", *(f"<0x{i:02X}>" for i in range(256))]
    vocabulary = {name: i for i, name in enumerate(names)}
    backend = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    poor = poor_pieces(tokenizer)
    assert poor == {0, *range(4, 260)}
    assert sums(tokenizer, ["ab к"], poor) == {"Latn": [1, 3, 1, 5]}  # a b ▁ and two bytes
    assert unknown_letters(tokenizer, "aк", poor) == [False, True]


def test_pieces_by_script():
    backend = Tokenizer(models.WordPiece({p: i for i, p in enumerate(["[UNK]", "##ab", "кот", "α1", "12"])}))
    backend.decoder = decoders.WordPiece()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")
    assert pieces_by_script(tokenizer) == {"Latn": 2, "Cyrl": 1, "Grek": 1, "Zyyy": 1}  # UNK is Latin, too


def test_a_script_is_unreadable_if_it_reads_worse_than_all_that_are_read(encoder, text):
    about = scripts(encoder, [text], reads=["Latn", "Grek"])
    assert about["threshold"] == {"unknown": 1 / 8, "pieces": 9 / 8}
    rows = about["scripts"]
    assert rows["Cyrl"] == {"lines": 2, "unknown": 6 / 7, "pieces": 8 / 7, "vocabulary": 0, "read": "romanised"}
    assert rows["Tibt"]["lines"] == 0 and rows["Tibt"]["unknown"] == 1 and rows["Tibt"]["pieces"] is None
    assert rows["Tang"]["read"] == "no"  # uroman does not write it either
    assert rows["Latn"]["read"] == rows["Grek"]["read"] == "yes"
    assert about["romanised"] == [code for code in sorted(rows) if rows[code]["read"] == "romanised"]
    assert {"Cyrl", "Tibt", "Nkoo"} < set(about["romanised"]) and not {"Latn", "Tang"} & set(about["romanised"])
    assert list(rows)[:3] == ["Cyrl", "Latn", "Grek"]  # by lines
    other = scripts(encoder, [text], reads=["Cyrl", "Latn"])  # said to be read, it is the measure
    assert other["threshold"]["unknown"] == 6 / 7 and "Cyrl" not in other["romanised"]
    assert "Grek" not in other["romanised"]  # not said to be read, but it is


def test_more_pieces_than_any_that_is_read(encoder, tmp_path):
    """Letter by letter where others have words: known pieces alone do not make a script readable."""
    vocabulary = {p: i for i, p in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "abc", *"кот"])}
    backend = Tokenizer(models.WordPiece(vocabulary | {"##о": 8, "##т": 9}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=32,
    )  # fmt: skip
    one = Encoder(tiny_bert(), tokenizer, Pooling())
    (tmp_path / "lines.txt").write_text("abc abc\nкот\n", encoding="utf-8")
    about = scripts(one, [tmp_path / "lines.txt"], reads=["Latn"])
    assert about["threshold"] == {"unknown": 0, "pieces": 1 / 3}
    assert about["scripts"]["Cyrl"]["unknown"] == 0 and about["scripts"]["Cyrl"]["read"] == "romanised"


def test_letters_and_what_a_romaniser_knows():
    letters = letters_of(("Grek", "Zyyy", "Thaa"))
    assert "α" in letters["Grek"] and "a" not in letters["Grek"] and len(letters["Thaa"]) > 30
    assert knows("uroman", letters["Thaa"]) and not knows("uroman", "") and not knows("uroman", "𗀀𗀁a")
    assert knows("uroman", "𗀀к")  # a half is enough


def test_the_encoder_that_is_saved_romanises(encoder, text, tmp_path):
    about = scripts(encoder, [text], tmp_path / "made", reads=["Latn", "Grek"])
    made = load_encoder(tmp_path / "made")
    assert made.fallback == Fallback(tuple(about["romanised"])) and made.fallback.about == json.loads(json.dumps(about))
    assert encoder.fallback is None  # the one in memory is as it was
    assert np.array_equal(made.encode(["кот", "abc", "αβ"]), encoder.encode(["kot", "abc", "αβ"]))
    assert list(about["texts"]) == ["lines.txt"] and about["romanizer"].startswith("uroman ")


def test_what_is_refused(encoder, text, tmp_path):
    with pytest.raises(InputError, match=r"no line of text in a script that the tokenizer reads \(Hebr\), to fit on"):
        scripts(encoder, [text], reads=["Hebr"])
    with pytest.raises(InputError, match=r"that the tokenizer reads \(none\)"):  # 26 pieces are no hundred
        scripts(encoder, [text])
    with pytest.raises(InputError, match="unknown script 'Grec': .* did you mean Grek"):
        scripts(encoder, [text], reads=["Grec"])
    with pytest.raises(InputError, match="unknown romaniser"):
        scripts(encoder, [text], romanizer="x")
    with pytest.raises(InputError, match="an encoder in memory is as it is"):
        scripts(encoder, [text], layer=1)
    save_encoder(encoder, tmp_path / "one")
    both = route(encoder, load_encoder(tmp_path / "one"), tmp_path / "both", languages=["ell_Latn"])
    with pytest.raises(InputError, match="give one to scripts"):
        scripts(both, [text])
    every = list(scripts(encoder, [text], reads=["Latn"])["scripts"])
    with pytest.raises(InputError, match="reads every script that uroman .* romanises"):
        scripts(encoder, [text], tmp_path / "made", reads=every)
    assert not (tmp_path / "made").exists()


def test_the_verb(align, encoder, text):
    printed = align("scripts", "bert", "--text", "lines.txt", "--reads", "Latn,Grek", "--out", "made").out
    assert "Cyrl         2            0    0.857          1.14  romanised" in printed
    assert "threshold: unknown 0.125, pieces/letter 1.12; uroman" in printed and printed.endswith("neither\n")
    align("encode", "made", "lines.txt", "--out", "v")
    assert json.loads(align("scripts", "seed", "--json").out)["scripts"]["Thaa"]["read"] == "romanised"
