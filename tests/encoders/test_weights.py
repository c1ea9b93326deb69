from __future__ import annotations

import json
import logging
import shutil

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling as PlainPooling
from transformers import BertModel, GPT2Config, GPT2LMHeadModel

from align.encoders.checkpoint import load_encoder
from align.encoders.decoder import load_decoder
from align.encoders.saving import save_encoder
from align.errors import InputError
from align.files.folders import MARK

TEXTS = ["abc", "hello world", "αβγ"]
LAYER = "encoder.layer.1.output.dense.weight"


def sentence_transformer(bert_folder, folder, *, path=""):
    modules = [Transformer(str(bert_folder)), PlainPooling(16), Dense(16, 8), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder), create_model_card=False)
    if path:
        (folder / path).mkdir()
        for file in folder.glob("*"):
            if file.is_file() and file.name not in ("modules.json", "config_sentence_transformers.json"):
                file.rename(folder / path / file.name)
        listed = json.loads((folder / "modules.json").read_text())
        listed[0]["path"] = path
        (folder / "modules.json").write_text(json.dumps(listed))
    return folder


@pytest.fixture
def road(request, bert_folder, tmp_path):
    """A folder that loads, and the folder in it where the weights are that an encoder is made from."""
    if request.param == "transformers":
        return bert_folder, bert_folder
    if request.param == "bare":
        tiny_bert().bert.save_pretrained(tmp_path / "bare")
        tiny_tokenizer().save_pretrained(tmp_path / "bare")
        return tmp_path / "bare", tmp_path / "bare"
    if request.param in ("sentence-transformers", "0_Transformer"):
        path = "0_Transformer" if request.param == "0_Transformer" else ""
        folder = sentence_transformer(bert_folder, tmp_path / "st", path=path)
        return folder, folder / path
    if request.param == "bin":
        torch.save(load_file(bert_folder / "model.safetensors"), bert_folder / "pytorch_model.bin")
        (bert_folder / "model.safetensors").unlink()
        return bert_folder, bert_folder
    if request.param == "shards":
        shutil.rmtree(bert_folder)
        tiny_bert().save_pretrained(bert_folder, max_shard_size="8KB")
        tiny_tokenizer().save_pretrained(bert_folder)
        return bert_folder, bert_folder
    save_encoder(load_encoder(bert_folder, layer=1 if request.param == "masked_lm" else None), tmp_path / "align")
    (tmp_path / "align" / MARK).unlink()  # what is changed by hand has no hashes
    if request.param == "align":
        shutil.rmtree(tmp_path / "align" / "masked_lm")
        return tmp_path / "align", tmp_path / "align"
    return tmp_path / "align", tmp_path / "align" / "masked_lm"


EVERY = pytest.mark.parametrize(
    "road",
    ["transformers", "bare", "sentence-transformers", "0_Transformer", "bin", "shards", "align", "masked_lm"],
    indirect=True,
)


def change(folder, function):
    """Apply a function to the weights, {name: tensor}, in whatever files they are."""
    single = folder / "model.safetensors"
    if (folder / "pytorch_model.bin").is_file():
        torch.save(function(torch.load(folder / "pytorch_model.bin")), folder / "pytorch_model.bin")
    elif single.is_file():
        save_file(function(load_file(single)), single, metadata={"format": "pt"})
    else:
        index = json.loads((folder / "model.safetensors.index.json").read_text())
        places = {}
        for file in sorted(set(index["weight_map"].values())):
            weights = function(load_file(folder / file))
            places |= dict.fromkeys(weights, file)
            save_file(weights, folder / file, metadata={"format": "pt"})
        (folder / "model.safetensors.index.json").write_text(json.dumps(index | {"weight_map": places}))


@EVERY
def test_a_weight_that_is_missing_is_named(road):
    folder, weights = road
    change(weights, lambda found: {k: v for k, v in found.items() if not k.endswith(LAYER)})
    with pytest.raises(InputError, match=rf"lacks 1 of the 37 weights of BertModel.*: (bert\.)?{LAYER}$"):
        load_encoder(folder)


@EVERY
def test_a_weight_of_another_size_is_named(road):
    folder, weights = road
    name = "embeddings.word_embeddings.weight"
    change(weights, lambda found: {k: v[:30].clone() if k.endswith(name) else v for k, v in found.items()})
    with pytest.raises(InputError, match=rf"lacks 1 of .*{name} is \(30, 16\) instead of \(56, 16\)"):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("road", "prefix"),
    [
        *(("transformers", prefix) for prefix in ("module.", "_orig_mod.", "encoder.", "0.auto_model.", "roberta.")),
        ("bare", "model."), ("sentence-transformers", "encoder."), ("0_Transformer", "module."), ("bin", "model."),
        ("shards", "0.auto_model."), ("align", "_orig_mod."), ("masked_lm", "encoder."),
    ],
    indirect=["road"],
)  # fmt: skip
def test_a_wrapper_is_taken_off_and_said(road, prefix, caplog, tmp_path):
    folder, weights = road
    before = load_encoder(folder)
    batch = before.pad([[2, 7, 4, 3]])
    vectors, head = before.encode(TEXTS), before.model(*batch)[0].detach().clone()
    del before  # its weights may be mapped from the file that changes
    change(weights, lambda found: {prefix + k: v.clone() for k, v in found.items()})
    with caplog.at_level(logging.WARNING):
        encoder = load_encoder(folder)
    assert f"the names of its weights begin with '{prefix}', which was taken off" in caplog.text
    assert np.array_equal(encoder.encode(TEXTS), vectors)
    assert torch.equal(encoder.model(*batch)[0], head)
    save_encoder(encoder, tmp_path / "again")
    assert "embeddings.word_embeddings.weight" in load_file(tmp_path / "again" / "model.safetensors")
    caplog.clear()
    assert np.array_equal(load_encoder(tmp_path / "again").encode(TEXTS), vectors)
    assert not caplog.text


@pytest.mark.parametrize("prefix", ["bert.", "roberta.", "module.bert.", "xyz."])
def test_a_bare_model_under_another_name(bert_folder, tmp_path, prefix, caplog):
    tiny_bert().bert.save_pretrained(tmp_path / "bare")
    tiny_tokenizer().save_pretrained(tmp_path / "bare")
    change(tmp_path / "bare", lambda found: {prefix + k: v for k, v in found.items()})
    assert np.array_equal(load_encoder(tmp_path / "bare").encode(TEXTS), load_encoder(bert_folder).encode(TEXTS))
    assert ("taken off" in caplog.text) == (prefix != "bert.")  # which transformers knows


def test_a_wrapper_around_a_layer_that_is_missing(bert_folder):
    change(bert_folder, lambda found: {f"module.{k}": v for k, v in found.items() if "layer.1." not in k})
    with pytest.raises(InputError, match=r"lacks 16 of the 37 weights of BertModel.*: bert.encoder.layer.1.attention"):
        load_encoder(bert_folder)


def test_two_encoders_in_one_file(bert_folder):
    change(bert_folder, lambda found: {p + k: v.clone() for k, v in found.items() for p in ("student.", "teacher.")})
    with pytest.raises(InputError, match=r"has the weights of 2 encoders, under student\. and teacher\.: expected one"):
        load_encoder(bert_folder)


def test_a_missing_pooler_or_head_is_harmless(bert_folder, tmp_path, caplog):
    expected = load_encoder(bert_folder).encode(TEXTS)
    change(bert_folder, lambda found: {k: v for k, v in found.items() if k.startswith("bert.")})
    assert np.array_equal(load_encoder(bert_folder).encode(TEXTS), expected)
    model = BertModel(tiny_bert().config)  # whose pooler is saved, and then lost
    model.load_state_dict(tiny_bert().bert.state_dict(), strict=False)
    model.save_pretrained(tmp_path / "pooled")
    tiny_tokenizer().save_pretrained(tmp_path / "pooled")
    change(tmp_path / "pooled", lambda found: {k: v for k, v in found.items() if "pooler" not in k})
    assert np.array_equal(load_encoder(tmp_path / "pooled").encode(TEXTS), expected)
    assert not caplog.text


def test_weights_of_another_kind_altogether(bert_folder):
    save_file({"w": torch.ones(2)}, bert_folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 37 of the 37 weights .*, and 34 more; names .* has: w, 1 in all$"):
        load_encoder(bert_folder)


def test_a_tail_without_its_weights(bert_folder, tmp_path):
    folder = sentence_transformer(bert_folder, tmp_path / "st")
    change(folder / "2_Dense", lambda found: {k: v for k, v in found.items() if "bias" not in k})
    with pytest.raises(InputError, match="cannot be loaded"):
        load_encoder(folder)


@EVERY
def test_a_tokenizer_with_more_ids_than_embeddings(road):
    folder, weights = road
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["new"])
    tokenizer.save_pretrained(weights)
    with pytest.raises(InputError, match=r"ids up to 56 \('new'\), but there are embeddings for 56 ids, 0 to 55"):
        load_encoder(folder)


def test_decoders_too(tmp_path, caplog):
    torch.manual_seed(0)
    config = GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=64, vocab_size=56)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    ids = torch.tensor([[2, 7, 9, 3]])
    expected = load_decoder(tmp_path).body(ids).last_hidden_state
    change(tmp_path, lambda found: {f"module.{k}": v for k, v in found.items()})
    assert torch.equal(load_decoder(tmp_path).body(ids).last_hidden_state, expected)
    assert "'module.', which was taken off" in caplog.text
    change(tmp_path, lambda found: {k: v for k, v in found.items() if not k.endswith("h.1.mlp.c_fc.weight")})
    with pytest.raises(InputError, match=r"lacks 1 of the 28 weights of GPT2Model.*: h.1.mlp.c_fc.weight$"):
        load_decoder(tmp_path)
    GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=64, vocab_size=50)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"ids up to 55 .* embeddings for 50 ids"):
        load_decoder(tmp_path)
