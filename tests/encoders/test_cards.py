"""What a sentence-transformers model says of itself beside its weights: kept by all that loads, trains and saves."""

from __future__ import annotations

import json

import numpy as np
import pytest
from huggingface_hub import ModelCard
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling as PlainPooling
from toy import table

from align.encoders.checkpoint import load_encoder
from align.encoders.merging.merge import merge
from align.encoders.saving import save_encoder
from align.encoders.trimming import trim
from align.objectives.contrastive import ContrastiveOptions
from align.training.model_card import card_before, front_matter
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.train import train

CARD = """---
license: cc-by-4.0
tags:
- feature-extraction
- dataset_size:1000
- align
language: el
base_model: some/model
---

# Words of Greek

Reads no Latin.
"""


def plain_model(bert_folder, folder, *, card=CARD, **options):
    SentenceTransformer(
        modules=[Transformer(str(bert_folder)), PlainPooling(16, "mean"), Normalize()], device="cpu", **options
    ).save_pretrained(str(folder), create_model_card=False)
    if card:
        (folder / "README.md").write_text(card, encoding="utf-8")
    return folder


def similarity(folder):
    assert json.loads((folder / "config_sentence_transformers.json").read_text())["similarity_fn_name"]
    return SentenceTransformer(str(folder), device="cpu").similarity_fn_name


def test_card_and_similarity_are_saved_as_they_came(bert_folder, tmp_path):
    folder = plain_model(bert_folder, tmp_path / "st", similarity_fn_name="dot")
    for place in ("one", "two"):  # the second is loaded from what Align saved
        save_encoder(load_encoder(folder), tmp_path / place)
        folder = tmp_path / place
        assert similarity(folder) == "dot"
        assert (folder / "README.md").read_text(encoding="utf-8") == CARD
    save_encoder(load_encoder(folder), tmp_path / "three", card="# Mine\n")
    assert (tmp_path / "three" / "README.md").read_text() == "# Mine\n"
    save_encoder(load_encoder(bert_folder), tmp_path / "four")
    assert similarity(tmp_path / "four") == "cosine"
    assert load_encoder(tmp_path / "four").card == "" == load_encoder(bert_folder).card


def test_a_trained_encoder_keeps_tags_licence_and_text(bert_folder, tmp_path):
    encoder = load_encoder(plain_model(bert_folder, tmp_path / "st", similarity_fn_name="euclidean"))
    recipe = Recipe(nt_xent=ContrastiveOptions(), train=TrainOptions(steps=1, batch_size=8))
    train(encoder, table(), recipe, tmp_path / "out", progress=False)
    assert similarity(tmp_path / "out") == "euclidean"
    card = ModelCard.load(tmp_path / "out" / "README.md")
    said = card.data.to_dict()
    assert said["tags"] == [
        "sentence-transformers",
        "align",
        "cross-lingual",
        "feature-extraction",
        "dataset_size:1000",
    ]
    assert (said["license"], said["base_model"], said["language"]) == ("cc-by-4.0", "some/model", ["el", "ell"])
    assert card.text.rstrip().endswith(
        "## The card of the encoder that was trained\n\n# Words of Greek\n\nReads no Latin."
    )


def test_a_model_that_cuts_its_vectors_does_so_on_every_road(bert_folder, tmp_path):
    folder = plain_model(bert_folder, tmp_path / "st", truncate_dim=4, similarity_fn_name="dot")
    texts = ["abc", "a text of words"]
    expected = SentenceTransformer(str(folder), device="cpu").encode(texts)
    encoder = load_encoder(folder)
    assert encoder.dimension == 4 and encoder.encode(texts) == pytest.approx(expected, abs=1e-6)
    assert np.linalg.norm(expected, axis=1).max() < 0.99  # the first dimensions of a unit vector
    save_encoder(encoder, tmp_path / "saved")
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    trim(tmp_path / "saved", [tmp_path / "texts.txt"], tmp_path / "trimmed")
    merge([tmp_path / "saved", folder], tmp_path / "merged", method="linear", weights=(0.5, 0.5))
    for road in ("saved", "merged", "trimmed"):
        assert load_encoder(tmp_path / road).encode(texts) == pytest.approx(expected, abs=1e-6)
        plain = SentenceTransformer(str(tmp_path / road), device="cpu")
        assert plain.encode(texts) == pytest.approx(expected, abs=1e-6)
        assert (plain.truncate_dim, plain.similarity_fn_name) == (4, "dot")
    recipe = Recipe(nt_xent=ContrastiveOptions(), train=TrainOptions(steps=1, batch_size=8))
    train(load_encoder(tmp_path / "saved"), table(), recipe, tmp_path / "out", progress=False)
    plain = SentenceTransformer(str(tmp_path / "out"), device="cpu")
    assert (plain.truncate_dim, plain.similarity_fn_name) == (4, "dot")
    assert load_encoder(tmp_path / "out").encode(texts) == pytest.approx(plain.encode(texts), abs=1e-6)


@pytest.mark.parametrize("card", ["---\nlicense: [\n---\nText", "--- no head at all", "---\njust text\n---\nText"])
def test_a_head_that_cannot_be_read_is_text(card):
    assert card_before(card)[0] == {} and card_before(card)[1]


def test_the_head_is_yaml_whatever_the_words():
    words = ["yes", "a: b", "x, y", "no", "it's", 'say "x"', "plain-word", "1.5"]
    lines = front_matter({"tags": words, "license": "other", "license_name": "a: b"}, {"nor", "yes"})
    said = ModelCard("\n".join([*lines, "", "text"])).data.to_dict()
    assert said["tags"][3:] == words and said["language"] == ["nor", "yes"]
    assert (said["license"], said["license_name"]) == ("other", "a: b")
