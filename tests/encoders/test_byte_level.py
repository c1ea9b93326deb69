"""Encoders of bytes and of characters: no text is unknown to them, and all that reads texts takes them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from byte_level import byt5_config, byte_level, save  # noqa: F401 (a fixture)
from toy import greek, p1, quiet, table, words
from transformers import T5EncoderModel, T5ForConditionalGeneration

import align
from align.encoders.layers import encode_layers
from align.errors import InputError
from align.objectives.contrastive import ContrastiveOptions
from align.training.options import TrainOptions
from align.training.recipe import Recipe

RECIPE = Recipe(
    info_nce=ContrastiveOptions(), train=TrainOptions(steps=6, batch_size=32, learning_rate=3e-3, log_every=1)
)


def test_trained_saved_searched_and_scored(byte_level, tmp_path):  # noqa: F811
    encoder = quiet(align.load_encoder(byte_level))
    facts = align.train(encoder, table(), RECIPE, tmp_path / "out", progress=False)
    losses = [row["loss"] for row in facts["losses"]]
    assert losses[-1] < losses[0]
    again, texts = align.load_encoder(tmp_path / "out"), ["ab", "", "ⵜⵉⴼⵉ ߒߞߏ", *words(12)]
    assert np.array_equal(again.encode(texts), encoder.encode(texts)) and p1(again) == p1(encoder)
    (tmp_path / "rows.txt").write_text("\n".join(words(12)) + "\n")
    align.encode(again, [tmp_path / "rows.txt"], tmp_path / "vectors", language="eng_Latn")
    index = align.index(tmp_path / "vectors", tmp_path / "index")
    assert [hits[0].text for hits in align.search(index, again, words(12), 1)] == words(12)
    for code, lines in {"eng_Latn": words(12), "ell_Grek": greek(words(12))}.items():
        (tmp_path / "lines").mkdir(exist_ok=True)
        (tmp_path / "lines" / f"{code}.txt").write_text("\n".join(lines) + "\n")
    result = align.evaluate(again, f"retrieval={tmp_path / 'lines'}", use_cache=False)
    assert len(result["scores"]) == 2 and not result["missing"]


def test_a_vector_does_not_depend_on_the_texts_beside_it(byte_level):  # noqa: F811
    encoder = align.load_encoder(byte_level)
    texts = [
        "",
        "a",
        "ab",
        *(c * n for c, n in zip("abcdefghij", (3, 4, 7, 11, 118, 119, 120, 127, 128, 129), strict=True)),
    ]
    texts += ["hello " * 45]
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    assert np.abs(encoder.encode(texts, batch_tokens=10_000) - alone).max() < 1e-5
    assert np.linalg.norm(alone - alone[-1], axis=1)[:-1].min() > 1e-4
    assert len(encoder.tokenize(["x" * 3000])[0]) == encoder.max_tokens
    assert np.isfinite(encoder.encode(["x" * 3000])).all()


def test_layers(byte_level):  # noqa: F811
    encoder, texts = align.load_encoder(byte_level), words(5)
    with pytest.raises(InputError, match="norms its last layer only, so layer 1 cannot be cut out"):
        align.load_encoder(byte_level, layer=1)
    if byte_level.name == "canine":
        for of_layers in (
            lambda: encode_layers(encoder, texts),
            lambda: align.load_encoder(byte_level, average_layers=True),
        ):
            with pytest.raises(InputError, match="CanineModel has layers of molecules, not of tokens"):
                of_layers()
    else:
        layers = encode_layers(encoder, texts)
        assert layers.shape == (3, 5, 16) and np.allclose(layers[-1], encoder.encode(texts), atol=1e-6)


def test_what_has_no_table_of_words_trains_none(tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.models.canine.tokenization_canine.UNICODE_VOCAB_SIZE", 0x500)
    encoder = align.load_encoder(save("canine", tmp_path / "canine"))
    for setting in ({"freeze_embeddings": True}, {"sparse_embeddings": True}, {"embedding_rate": 1e-3}):
        recipe = Recipe(info_nce=ContrastiveOptions(), train=TrainOptions(steps=1, batch_size=4, **setting))
        (name,) = setting
        with pytest.raises(InputError, match=f"train.{name}: CanineModel has no table of word embeddings"):
            align.train(encoder, table(), recipe, tmp_path / "out", progress=False)


def test_of_a_whole_byt5_only_the_encoder_is_read(tmp_path):
    torch.manual_seed(1)
    folder = save("byt5", tmp_path / "byt5")
    T5ForConditionalGeneration(byt5_config()).save_pretrained(folder)
    encoder = align.load_encoder(folder)
    assert isinstance(encoder.model, T5EncoderModel)
    ids, attention = encoder.pad(encoder.tokenize(["ab", "c"]))
    plain = T5ForConditionalGeneration.from_pretrained(folder).encoder(ids, attention_mask=attention).last_hidden_state
    means = torch.stack([plain[0, :3].mean(0), plain[1, :2].mean(0)])
    assert np.allclose(encoder.encode(["ab", "c"]), torch.nn.functional.normalize(means).detach(), atol=1e-6)


def test_a_folder_without_tokenizer_is_refused_still(tmp_path):
    folder = save("byt5", tmp_path / "byt5")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    for wrong in (settings | {"tokenizer_class": "BertTokenizer"}, None):
        (folder / "tokenizer_config.json").write_text(json.dumps(wrong)) if wrong else (
            folder / "tokenizer_config.json"
        ).unlink()
        with pytest.raises(InputError, match="has no tokenizer: expected one of"):
            align.load_encoder(folder)
