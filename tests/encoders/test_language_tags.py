from __future__ import annotations

import numpy as np
import pytest
import torch
from byte_level import save
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from toy import greek, table, words

import align
from align.encoders.language_tags import add_tags, tag_ids, tagged
from align.encoders.layers import encode_layers
from align.encoders.words import word_encoder
from align.errors import InputError
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.mlm import MlmOptions
from align.objectives.multiple_negatives import MultipleNegativesOptions
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.store import build_store

GREEK, LATIN = "ell_Grek", "ell_Latn"


def recipe(**objectives):
    train = TrainOptions(steps=2, batch_size=8, language_tags=True, learning_rate=1e-3)
    return Recipe(train=train, **(objectives or {"info_nce": ContrastiveOptions()}))


@pytest.fixture
def encoder(bert_folder):
    return align.load_encoder(bert_folder)


@pytest.fixture
def trained(encoder, tmp_path):
    align.train(
        encoder, table(), recipe(info_nce=ContrastiveOptions(), mlm=MlmOptions()), tmp_path / "out", progress=False
    )
    return tmp_path / "out"


def test_new_rows_are_the_mean_and_nothing_else_changes(encoder):
    texts, before = words(5), encoder.encode(words(5))
    old = encoder.model.get_input_embeddings().weight.detach().clone()
    add_tags(encoder, ["hin_Deva", "ell_Grek", "hin_Deva"])
    assert encoder.tags == {"ell_Grek": len(old), "hin_Deva": len(old) + 1} == tag_ids(encoder.tokenizer)
    weight = encoder.model.get_input_embeddings().weight
    assert torch.equal(weight[: len(old)], old) and torch.allclose(weight[len(old) :], old.mean(0))
    assert np.array_equal(encoder.encode(texts), before)
    add_tags(encoder, ["ell_Grek"])
    assert len(encoder.model.get_input_embeddings().weight) == len(old) + 2
    plain, (ids,) = encoder.tokenize(["ab"])[0], encoder.tokenize(tagged(encoder, ["ab"], "hin_Deva"))
    assert [i for i in ids if i != encoder.tokenizer.unk_token_id] == [plain[0], len(old) + 1, *plain[1:]]


def test_kept_in_the_checkpoint_and_put_only_if_said(trained):
    plain, asked = align.load_encoder(trained), align.load_encoder(trained, language_tags=True)
    assert plain.tags == asked.tags and set(plain.tags) == {GREEK, LATIN}
    texts = greek(words(6))
    assert np.array_equal(plain.encode(texts, language=GREEK), plain.encode(texts))
    expected = plain.encode([f"<2{GREEK}> {text}" for text in texts])
    assert np.array_equal(asked.encode(texts, language=GREEK), expected) and not np.allclose(
        expected, plain.encode(texts)
    )
    mixed = asked.encode(texts, language=[GREEK, LATIN] * 3)
    assert np.allclose(mixed[::2], expected[::2], atol=1e-6) and not np.allclose(mixed[1::2], expected[1::2], atol=1e-4)
    assert plain.identity() != asked.identity() and "language_tags" not in plain.identity()
    plain_model = SentenceTransformer(str(trained), device="cpu")
    assert np.allclose(plain_model.encode(texts, prompt_name=GREEK), expected, atol=1e-5)
    assert np.allclose(plain_model.encode(texts), plain.encode(texts), atol=1e-5)
    layers = encode_layers(asked, texts, language=GREEK)
    assert np.allclose(layers[-1], expected, atol=1e-5)


def test_training_reads_the_tags_of_both_sides_and_of_negatives(encoder, tmp_path):
    rows = table(negative_1=words(seed=1), negative_2=[*words(95, seed=2), ""])
    add_tags(encoder, [GREEK, LATIN])
    stores = [
        build_store(rows, encoder, max_tokens=32, columns=["negative"], cache=tmp_path, language_tags=tags)
        for tags in (True, False)
    ]
    for side, code in (("source", GREEK), ("target", LATIN), ("negative", LATIN)):
        with_tags, without = (getattr(store, side) for store in stores)
        assert len(with_tags) == len(without) and len(with_tags) == (191 if side == "negative" else 96)
        for one, other in zip(with_tags, without, strict=True):
            assert one[1] == encoder.tags[code] and one[1] not in other.tolist()
    assert stores[0].folder != stores[1].folder
    taught = align.train(
        encoder, rows, recipe(multiple_negatives=MultipleNegativesOptions()), tmp_path / "o", progress=False
    )
    assert taught["pairs"] == 96


def test_tags_are_never_masked_and_move_in_training(trained, bert_folder):
    encoder, start = align.load_encoder(trained), align.load_encoder(bert_folder)
    assert set(encoder.tags.values()) <= set(encoder.added_ids)
    add_tags(start, [GREEK, LATIN])
    rows = [one.model.get_input_embeddings().weight[-2:] for one in (encoder, start)]
    assert ((rows[0] - rows[1]).abs().max(dim=1).values > 0).all()


def test_what_is_refused(encoder, trained, bert_folder, tmp_path):
    asked = align.load_encoder(trained, language_tags=True)
    known = rf"the encoder has tags of {GREEK}, {LATIN}"
    with pytest.raises(InputError, match=f"language tags need the language of each text: {known}"):
        asked.encode(["a"])
    with pytest.raises(InputError, match=f"no language tag of hin_Deva: {known}"):
        asked.encode(["a", "b"], language=[GREEK, "hin_Deva"])
    with pytest.raises(InputError, match="2 texts but 1 languages"):
        asked.encode(["a", "b"], language=[GREEK])
    with pytest.raises(InputError, match="has no language tags: it was trained without train.language_tags"):
        align.load_encoder(bert_folder, language_tags=True)
    with pytest.raises(InputError, match="not before words in a template"):
        word_encoder(asked, template="this is {word}")(["a"], GREEK)
    with pytest.raises(InputError, match="load the encoder without them"):
        align.train(asked, table(), recipe(), tmp_path / "again", progress=False)
    strange = Dataset.from_dict({**table(8).to_dict(), "source_lang": ["xx"] * 8})
    with pytest.raises(InputError, match="xx"):
        align.train(encoder, strange, recipe(), tmp_path / "strange", progress=False)


def test_of_characters_there_are_no_tags(tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.models.canine.tokenization_canine.UNICODE_VOCAB_SIZE", 0x500)
    with pytest.raises(InputError, match="CanineModel has no table of pieces: it can have no language tags"):
        add_tags(align.load_encoder(save("canine", tmp_path / "canine")), [GREEK])


def test_from_the_command_line(align, trained, tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(words(4)) + "\n")
    for more in ([], ["--language-tags"]):
        align("encode", trained, "a.txt", "--language", LATIN, "--out", f"v{len(more)}", *more)
    assert "language_tags" in align("search", trained, "v1", "abc", code=2).err
    query = words(4)[0]
    assert query in align("search", trained, "v1", query, "--language-tags", "--query-language", LATIN).out
