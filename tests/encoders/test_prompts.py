"""Prompts of a saved encoder through every road of sentence-transformers, and those that a model came with."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling as PlainPooling
from toy import greek, table, words

from align.encoders.checkpoint import load_encoder
from align.encoders.layers import encode_layers
from align.encoders.saving import save_encoder
from align.errors import InputError
from align.files.folders import MARK
from align.objectives.contrastive import ContrastiveOptions
from align.tasks.retrieval import retrieval
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.train import train

TEXTS = ["abc", "hello", "αβγ", "", "x" * 100]
OWN = {"query": "ask ", "document": "say "}


def plain_model(bert_folder, folder, *, kind="mean", include=True, prompts=None, default=None):
    SentenceTransformer(
        modules=[Transformer(str(bert_folder)), PlainPooling(16, kind, include_prompt=include), Normalize()],
        device="cpu", prompts=prompts, default_prompt_name=default,
    ).save_pretrained(str(folder), create_model_card=False)  # fmt: skip
    return folder


def plain(folder):
    return SentenceTransformer(str(folder), device="cpu")


def roads(model, texts):
    """Vectors by every road there is to them."""
    found = {
        "encode": model.encode(texts), "query": model.encode_query(texts), "document": model.encode_document(texts),
    }  # fmt: skip
    return found | {f"prompt {name}": model.encode(texts, prompt_name=name) for name in model.prompts}


def close(a, b):
    return np.abs(a - b).max() < 1e-6


@pytest.mark.parametrize("prompt", ["", "ask "])
@pytest.mark.parametrize("special", [True, False])
def test_every_road_gives_the_encoders_vectors(bert_folder, tmp_path, prompt, special):
    encoder = load_encoder(bert_folder, prompt=prompt, special_tokens=special)
    expected = encoder.encode(TEXTS)
    save_encoder(encoder, tmp_path / "out")
    for road, vectors in roads(plain(tmp_path / "out"), TEXTS).items():
        assert close(vectors, expected), road
    again = load_encoder(tmp_path / "out")
    assert (again.prompt, again.prompts) == (prompt, {})
    assert np.array_equal(again.encode(TEXTS), expected)
    other = load_encoder(tmp_path / "out", prompt="z ")  # its own prompt filled these names: they follow the new one
    save_encoder(other, tmp_path / "other")
    for road, vectors in roads(plain(tmp_path / "other"), TEXTS).items():
        assert close(vectors, other.encode(TEXTS)), road


@pytest.mark.parametrize(
    ("prompts", "default", "include"),
    [
        (OWN, None, False),
        (OWN, "query", True),
        ({"query": "ask ", "passage": "say ", "other": "do "}, "other", False),
        ({"sts": "ask "}, None, True),
    ],
)
def test_prompts_of_a_model_survive_training(bert_folder, tmp_path, prompts, default, include):
    folder = plain_model(bert_folder, tmp_path / "st", include=include, prompts=prompts, default=default)
    before = plain(folder)
    encoder = load_encoder(folder)
    assert {name: encoder.prompts[name] for name in prompts} == prompts
    assert encoder.prompt == (prompts[default] if default else "")
    for road, vectors in roads(before, TEXTS).items():
        text = before.prompts[road.removeprefix("prompt ")] if road != "encode" else encoder.prompt
        if road == "document":
            text = before.prompts["document"]
        assert close(load_encoder(folder, prompt=text).encode(TEXTS), vectors), road
    options = TrainOptions(steps=2, batch_size=16, learning_rate=1e-2, warmup=0.0)
    train(encoder, table(), Recipe(nt_xent=ContrastiveOptions(), train=options), tmp_path / "out", progress=False)
    after = plain(tmp_path / "out")
    assert {name: after.prompts[name] for name in before.prompts} == before.prompts
    assert after.default_prompt_name == default
    assert close(after.encode(TEXTS), encoder.encode(TEXTS))
    assert not close(after.encode(TEXTS), before.encode(TEXTS))
    for name, text in after.prompts.items():
        assert close(after.encode(TEXTS, prompt_name=name), load_encoder(tmp_path / "out", prompt=text).encode(TEXTS))
    assert load_encoder(tmp_path / "out").prompts == encoder.prompts


def test_a_prompt_for_all_texts_fills_what_the_model_left_empty(bert_folder, tmp_path):
    folder = plain_model(bert_folder, tmp_path / "st", prompts={"q": "ask "}, default="q")
    encoder = load_encoder(folder)
    save_encoder(encoder, tmp_path / "out")
    after = plain(tmp_path / "out")
    assert (after.prompts, after.default_prompt_name) == ({"query": "ask ", "document": "ask ", "q": "ask "}, "q")
    encoder = load_encoder(plain_model(bert_folder, tmp_path / "own", prompts=OWN), prompt="all ")
    save_encoder(encoder, tmp_path / "all")
    after = plain(tmp_path / "all")
    assert (after.prompts, after.default_prompt_name) == (OWN | {"default": "all "}, "default")
    assert close(after.encode(TEXTS), encoder.encode(TEXTS))


@pytest.mark.parametrize("kind", ["mean", "cls", "weightedmean"])
@pytest.mark.parametrize("special", [True, False])
def test_a_pooling_without_the_prompt(bert_folder, tmp_path, kind, special):
    if kind == "cls" and not special:
        return
    folder = plain_model(bert_folder, tmp_path / "st", kind=kind, include=False, prompts=OWN, default="query")
    encoder = load_encoder(folder, special_tokens=special)
    vectors = encoder.encode(TEXTS)
    if special:
        assert close(vectors, plain(folder).encode(TEXTS))
    with_prompt = load_encoder(plain_model(bert_folder, tmp_path / "in", kind=kind, prompts=OWN, default="query"))
    assert not close(vectors, with_prompt.encode(TEXTS))
    assert encoder.identity()["pooling"]["include_prompt"] is False
    assert "include_prompt" not in with_prompt.identity()["pooling"]
    assert close(encode_layers(encoder, TEXTS)[-1], vectors)
    ids, attention = encoder.pad(encoder.tokenize(TEXTS))
    with torch.no_grad():
        assert close(encoder(ids, attention).numpy(), vectors)
    save_encoder(encoder, tmp_path / "out")
    assert close(plain(tmp_path / "out").encode(TEXTS), vectors)
    assert close(plain(tmp_path / "out").encode_document(TEXTS), load_encoder(folder, special_tokens=special,
                 prompt="say ").encode(TEXTS))  # fmt: skip
    again = load_encoder(tmp_path / "out")
    assert again.identity() == encoder.identity()
    assert np.array_equal(again.encode(TEXTS), vectors)


def test_the_tokens_of_the_prompt_by_hand(bert_folder, tmp_path):
    folder = plain_model(bert_folder, tmp_path / "st", include=False)
    encoder = load_encoder(folder, prompt="ab")
    ids, attention = encoder.pad(encoder.tokenize(["cd"]))
    assert ids.tolist() == [[2, 5, 6, 7, 8, 3]]  # [CLS] a b c d [SEP]
    assert encoder.prompt_tokens == 3
    states = encoder.hidden(ids, attention).layer[0]
    assert torch.allclose(encoder(ids, attention, raw=True)[0], states[3:].mean(0), atol=1e-6)
    encoder.prompt = ""
    assert encoder.prompt_tokens == 0


@pytest.mark.parametrize(("kind", "include"), [("weighted", True), ("mean", False)])
def test_what_sentence_transformers_would_make_in_another_length(bert_folder, tmp_path, kind, include):
    torch.manual_seed(0)
    folder = plain_model(bert_folder, tmp_path / "st", include=include, prompts=OWN)
    encoder = load_encoder(folder, kind=kind, special_tokens=False)
    encoder.tail.append(Dense(16, 8))
    with pytest.raises(InputError, match="cannot pool .* special tokens unless vectors are made unit ones next"):
        save_encoder(encoder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_evaluator_of_theirs_agrees_with_ours(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder, prompt="ask ")
    save_encoder(encoder, tmp_path / "out")
    latin = words(40)
    texts = {"ell_Grek": greek(latin), "ell_Latn": latin}
    ours = retrieval(lambda lines, _: encoder.encode(lines), texts, check_alignment=False)
    (score,) = (one for one in ours.scores if (one.queries, one.candidates) == ("ell_Grek", "ell_Latn"))
    theirs = InformationRetrievalEvaluator(
        {f"q{i}": text for i, text in enumerate(texts["ell_Grek"])}, {f"d{i}": text for i, text in enumerate(latin)},
        {f"q{i}": {f"d{i}"} for i in range(40)}, mrr_at_k=[40], write_csv=False,
    )(plain(tmp_path / "out"))  # fmt: skip
    assert 0 < score.metrics["P@10"] < 1
    for name, other in (("P@1", "cosine_accuracy@1"), ("P@10", "cosine_accuracy@10"), ("MRR", "cosine_mrr@40")):
        assert score.metrics[name] == pytest.approx(theirs[other], abs=1e-9)


def test_a_folder_from_before_prompts_were_kept(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder, prompt="ask ")
    save_encoder(encoder, tmp_path / "out")
    settings = json.loads((tmp_path / "out" / "align.json").read_text())
    del settings["prompts"], settings["pooling"]["include_prompt"]
    (tmp_path / "out" / "align.json").write_text(json.dumps(settings))
    (tmp_path / "out" / MARK).unlink()
    again = load_encoder(tmp_path / "out")
    assert (again.prompt, again.prompts, again.identity()) == ("ask ", {}, encoder.identity())
