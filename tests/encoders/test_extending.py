"""``align.extend``: new pieces of the tokenizer's own kind, rows that are means, all other text as it was."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from conftest import tiny_bert
from sentence_transformers import SentenceTransformer
from tokenizer_kinds import KINDS, LINES, encoder_of
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    AutoModelForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    PreTrainedTokenizerFast,
)

from align import extend, load_encoder, load_recipe, romanize
from align.encoders.extending import ROWS
from align.encoders.fallback import Fallback
from align.encoders.growth import Growth, grown, learnt, sources
from align.errors import InputError

RUSSIAN = ["кошка сидела на ковре", "собака сидела на коврике", "кошка и собака", "а ковёр лежал на полу"]
MIXED = [f"the кошка {line}" for line in LINES[:3]]


@pytest.fixture(params=KINDS)
def encoder(request):
    return encoder_of(request.param)


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "rus_Cyrl.txt"
    file.write_text("\n".join([*RUSSIAN * 3, "", *LINES[:2]]) + "\n", encoding="utf-8")
    return file


def test_text_without_new_pieces_keeps_its_vectors_to_the_bit(encoder, text, tmp_path):
    about = extend(encoder, [text], tmp_path / "large", pieces=40)
    large = load_encoder(tmp_path / "large")
    new = set(range(*_range(encoder, about)))
    names = large.tokenizer.convert_ids_to_tokens(sorted(new))
    assert not set(names) & set(encoder.tokenizer.get_vocab()) and len(set(names)) == about["added"] <= 40 + 60
    old = encoder.tokenizer.get_vocab()
    kept = [line for line, ids in zip(LINES, large.tokenize(LINES), strict=True) if not new & set(ids)]
    assert len(kept) > len(LINES) / 2
    for line in kept:
        pieces = large.tokenizer.convert_ids_to_tokens(large.tokenize([line])[0])
        assert [old[piece] for piece in pieces] == encoder.tokenize([line])[0]
        assert np.array_equal(large.encode([line]), encoder.encode([line]))
    for line in RUSSIAN:
        assert new & set(large.tokenize([line])[0]) and not np.allclose(large.encode([line]), encoder.encode([line]))
    assert large.fingerprint() != encoder.fingerprint()
    assert (large.prompt, large.prompts, large.max_tokens) == (encoder.prompt, encoder.prompts, encoder.max_tokens)
    plain = SentenceTransformer(str(tmp_path / "large"), device="cpu").encode([*kept, *MIXED])
    np.testing.assert_allclose(plain, large.encode([*kept, *MIXED]), atol=1e-6)


def _range(encoder, about):
    """Of the new ids."""
    model = json.loads(encoder.tokenizer.backend_tokenizer.to_str())["model"]
    place = len(model["vocab"]) if model["type"] == "Unigram" else 1 + max(model["vocab"].values())
    return place, place + about["added"]


@pytest.mark.parametrize("rows", ROWS)
def test_rows_of_embedding_head_and_bias_are_means(encoder, text, tmp_path, rows):
    about = extend(encoder, [text], tmp_path / "large", pieces=30, rows=rows)
    headed = AutoModelForMaskedLM.from_pretrained(tmp_path / "large" / "masked_lm").state_dict()
    old, (start, end) = encoder.model.state_dict(), _range(encoder, about)
    size = about["pieces"]["before"]
    large = load_encoder(tmp_path / "large").tokenizer
    pieces = large.convert_ids_to_tokens(range(start, end))
    roman = [""] * len(pieces)
    if rows == "romanised":
        decode = large.backend_tokenizer.decoder.decode
        roman = romanize([decode([piece]).replace("##", "").replace("▁", "").strip() for piece in pieces])
        roman = [one if any("a" <= c.lower() <= "z" for c in one) else "" for one in roman]
        assert sum(map(bool, roman)) > len(pieces) / 3
    of = sources(encoder.tokenizer, pieces, roman)
    for name, value in old.items():
        if len(value) == size:
            assert torch.equal(headed[name][:start], value[:start])
            assert torch.equal(headed[name][end:], value[start:])  # what stood behind has moved
            for i, some in enumerate(of):
                torch.testing.assert_close(headed[name][start + i], sum(value[j] for j in some) / len(some))


def test_sources_by_hand():
    backend = Tokenizer(
        models.WordPiece({p: i for i, p in enumerate(["[UNK]", "k", "##o", "##t", "kot"])}, unk_token="[UNK]")
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")
    assert sources(tokenizer, ["кот", "##ко", "ko"], ["kot", "", ""]) == [[4], [0], [1, 2]]
    pieces = [("<unk>", 0.0), ("▁", -1.0), ("▁ko", -2.0), ("k", -3.0), ("o", -3.0), ("t", -3.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    assert sources(tokenizer, ["▁кот", "ко", "кот"], ["kot", "ko", ""]) == [[2, 5], [3, 4], [0]]
    backend = Tokenizer(models.BPE({"x": 0, "k": 1}, []))  # which leaves out what it does not know
    assert sources(PreTrainedTokenizerFast(tokenizer_object=backend), ["кот", "кк"], ["", "k"]) == [[0], [1]]


def test_unigram_scores_by_hand():
    """No new score is below the least one; an unknown letter costs what it did; letters come first."""
    pieces = [("<unk>", 0.0), ("▁", -1.0), ("a", -2.0), ("b", -4.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    growth = learnt(tokenizer, ["кот кот", "кит", "ток"] * 4, 6)
    assert set(growth.pieces[:4]) == set("коти") and len(growth.pieces) <= 6
    assert all(-4.0 <= score <= 0 for score in growth.scores) and len(growth.scores) == len(growth.pieces)
    large, place = grown(tokenizer, Growth(("кот",), (-3.5,)))
    assert place == 4 and large.convert_ids_to_tokens(large("кот ab", add_special_tokens=False)["input_ids"]) == [
        "▁", "кот", "▁", "a", "b"
    ]  # fmt: skip


def test_byte_pairs_make_no_old_piece():
    vocabulary = {p: i for i, p in enumerate(["<unk>", "a", "b", "c", "ab", "bc", "abc"])}
    backend = Tokenizer(models.BPE(vocabulary, [("b", "c"), ("a", "bc")], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    growth = learnt(tokenizer, ["ab ab ab ab", "abx abx abx"], 5)
    assert ("a", "b") not in growth.merges  # "ab" is there, and no merge makes it: so text "ab" would change
    assert growth.pieces[0] == "x" and len(growth.pieces) == len(set(growth.pieces))
    large, _ = grown(tokenizer, growth)
    assert large.tokenize("ab abc") == ["a", "b", "abc"]


def test_a_word_that_begins_with_a_new_piece_does_not_become_unknown():
    vocabulary = {p: i for i, p in enumerate(["[UNK]", "a", "##b", "##cd", "d"])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")
    growth = learnt(tokenizer, ["abc abc abc"] * 3, 9)
    assert "abc" in growth.pieces and {"##a", "##c", "##d"} <= set(growth.pieces)
    assert grown(tokenizer, growth)[0].tokenize("abcd") == ["abc", "##d"]  # not [UNK]


def test_what_is_said_and_kept(encoder, text, tmp_path):
    about = extend(encoder, [text], tmp_path / "large", pieces=20, rows="romanised")
    kept = json.loads((tmp_path / "large" / "align.json").read_text())["extended"]
    assert kept.items() >= about.items() and kept["of"]["fingerprint"] == encoder.fingerprint()
    assert list(kept["texts"]) == ["rus_Cyrl.txt"] and kept["romanizer"].startswith("uroman")
    assert about["pieces"]["after"] - about["pieces"]["before"] == about["added"] > 0
    assert about["lines"] == 14 and 0 <= about["split_as_before"] <= 2
    lengths = [sum(map(len, one.tokenizer([f"the {line}" for line in [*RUSSIAN * 3, *LINES[:2]]])["input_ids"]))
               for one in (encoder, load_encoder(tmp_path / "large"))]  # fmt: skip
    assert about["tokens"] == dict(zip(("before", "after"), lengths, strict=True))


def test_what_is_refused(encoder, text, tmp_path, monkeypatch):
    for wrong, sentence in (
        ({"pieces": 0}, "pieces must be 1 or more, got 0"),
        ({"rows": "sum"}, "of their pieces or romanised sources, got 'sum'"),
        ({"layer": 1}, "an encoder in memory is as it is"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=sentence):
            extend(encoder, [text], tmp_path / "large", **wrong)
    (tmp_path / "old.txt").write_text("a\n")
    if "Word" not in json.loads(encoder.tokenizer.backend_tokenizer.to_str())["model"]["type"]:
        with pytest.raises(InputError, match=r"old.txt: no piece that the tokenizer lacks; expected text in another"):
            extend(encoder, [tmp_path / "old.txt"], tmp_path / "large")
    encoder.fallback = Fallback(("Cyrl",))
    with pytest.raises(InputError, match="whose pieces would never be read: extend it without"):
        extend(encoder, [text], tmp_path / "large")
    encoder.fallback = None
    monkeypatch.setattr("align.encoders.extending.grown", lambda *given: _otherwise(*grown(*given)))
    with pytest.raises(InputError, match="is split otherwise: this tokenizer cannot grow"):
        extend(encoder, [text], tmp_path / "large")
    assert not (tmp_path / "large").exists()


def _otherwise(tokenizer, place):
    """A tokenizer that reads other text than it is given."""
    backend = tokenizer.backend_tokenizer
    backend.normalizer = normalizers.Sequence([normalizers.Replace("the", "eht"), *filter(None, [backend.normalizer])])
    return tokenizer, place


def test_the_verb_and_its_recipe(align, tmp_path):
    tiny_bert().save_pretrained(tmp_path / "model")
    backend, special = KINDS["unigram"]()
    PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>", model_max_length=32,
                            **special).save_pretrained(tmp_path / "model")  # fmt: skip
    (tmp_path / "lines.txt").write_text("\n".join(RUSSIAN) + "\n", encoding="utf-8")
    pairs = "\n".join(
        f"{a}\t{b}\teng_Latn\trus_Cyrl\tg{i}" for i, (a, b) in enumerate(zip(LINES, RUSSIAN, strict=False))
    )
    (tmp_path / "pairs.tsv").write_text(
        f"source\ttarget\tsource_lang\ttarget_lang\tgroup_id\n{pairs}\n", encoding="utf-8"
    )
    recipe = load_recipe("extension")
    assert [stage.name for stage in recipe.stages] == ["mse", "contrast"]
    assert [list(stage.objectives) for stage in recipe.stages] == [["distil"], ["info_nce", "distil"]]
    config = json.loads((tmp_path / "model" / "config.json").read_text()) | {"vocab_size": 100}
    torch.manual_seed(0)
    BertForMaskedLM(BertConfig(**config)).save_pretrained(tmp_path / "model")
    printed = json.loads(align("extend", "model", "--text", "lines.txt", "--pieces", 12, "--out", "large").out)
    assert printed["added"] == 12 and printed["rows"] == "pieces"
    align("train", "extension", "--pairs", "pairs.tsv", "--model", "large", "--teacher", "model", "--out", "trained",
          "--set", "train.steps=1", "--set", "train.batch_size=2")  # fmt: skip
    align("encode", "trained", "lines.txt", "--out", "v")
