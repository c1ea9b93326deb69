from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling as PlainPooling
from transformers import (
    AutoModelForMaskedLM,
    BertModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)

from align.encoders.checkpoint import load_encoder
from align.encoders.encoder import Hidden
from align.encoders.saving import save_encoder
from align.errors import InputError
from align.files.folders import MARK

TEXTS = ["abc", "", " hello  world ", "xyzzy" * 30, "αβγ", "a\ud800b", "x" * 500]
PLAIN_TEXTS = [text for text in TEXTS if "\ud800" not in text]  # plain sentence-transformers raises on a lone surrogate


def save(model, tokenizer, folder):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def tokenizer(bert_folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(bert_folder)


def family(name, tokenizer, folder):
    sizes = {"vocab_size": len(tokenizer), "pad_token_id": 0}
    torch.manual_seed(0)
    if name == "xlm-roberta":
        config = XLMRobertaConfig(
            hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, type_vocab_size=1,
            max_position_embeddings=66, **(sizes | {"pad_token_id": 1}),
        )  # fmt: skip
        model = XLMRobertaForMaskedLM(config)
    else:
        config = DistilBertConfig(dim=16, n_layers=3, n_heads=2, hidden_dim=32, max_position_embeddings=64, **sizes)
        model = DistilBertForMaskedLM(config)
    return save(model.eval(), tokenizer, folder)


@pytest.mark.parametrize("layer", [None, 0, 1, 2])
@pytest.mark.parametrize(
    ("kind", "special"), [("mean", True), ("mean", False), ("cls", True), ("weighted", True), ("weighted", False)]
)
def test_the_saved_encoder_is_plain_and_gives_the_same_vectors(bert_folder, tmp_path, layer, kind, special):
    encoder = load_encoder(bert_folder, layer=layer, kind=kind, special_tokens=special, prompt="q")
    expected = encoder.encode(PLAIN_TEXTS)
    save_encoder(encoder, tmp_path / "out")
    plain = SentenceTransformer(str(tmp_path / "out"), device="cpu")
    assert np.abs(plain.encode(PLAIN_TEXTS, show_progress_bar=False) - expected).max() < 1e-6
    again = load_encoder(tmp_path / "out")
    assert np.array_equal(again.encode(PLAIN_TEXTS), expected)
    assert again.identity() == encoder.identity()


@pytest.mark.parametrize("layer", [None, 0, 1])
@pytest.mark.parametrize(("kind", "special"), [("mean", True), ("mean", False), ("cls", True), ("weighted", False)])
def test_the_mean_of_layers_is_saved_plain_too(bert_folder, tmp_path, layer, kind, special):
    encoder = load_encoder(bert_folder, layer=layer, kind=kind, special_tokens=special, average_layers=True)
    expected = encoder.encode(PLAIN_TEXTS)
    save_encoder(encoder, tmp_path / "out")
    plain = SentenceTransformer(str(tmp_path / "out"), device="cpu")
    assert np.abs(plain.encode(PLAIN_TEXTS, show_progress_bar=False) - expected).max() < 1e-6
    again = load_encoder(tmp_path / "out")
    assert again.pooling == encoder.pooling
    assert np.array_equal(again.encode(PLAIN_TEXTS), expected)
    assert again.identity() == encoder.identity()
    last = load_encoder(tmp_path / "out", average_layers=False)
    assert np.array_equal(
        last.encode(["abc"]), load_encoder(bert_folder, layer=layer, kind=kind, special_tokens=special).encode(["abc"])
    )


@torch.no_grad()
def states_at_tokens(encoder, texts):
    """States by transformers and by us; what stands at padding is nobody's business."""
    ids, attention = encoder.pad(encoder.tokenize(texts))
    reference = encoder.model(ids, attention_mask=attention, output_hidden_states=True).hidden_states
    ours = [encoder.hidden(ids, attention, head=head) for head in (False, True)]
    tokens = attention.bool()
    return [state[tokens] for state in reference], *(Hidden(layer[tokens], last[tokens]) for layer, last in ours)


@pytest.mark.parametrize("layer", [None, 0, 1, 2])
def test_averaged_states_are_the_mean_of_hidden_states(bert_folder, layer):
    encoder = load_encoder(bert_folder, layer=layer, average_layers=True)
    reference, states, both = states_at_tokens(encoder, ["abc", "hello"])
    total, count = torch.zeros_like(reference[0]), 0
    for state in reference[: encoder.layer + 1]:
        total, count = total + state, count + 1
    assert torch.allclose(states.layer, total / count, atol=1e-6)
    assert torch.allclose(both.layer, total / count, atol=1e-6)
    assert torch.allclose(both.last, reference[-1], atol=1e-6)


def test_every_layer_of_a_mean_gets_a_gradient(bert_folder):
    encoder = load_encoder(bert_folder, layer=1, average_layers=True)
    encoder(*encoder.pad(encoder.tokenize(["abc", "hello"])), raw=True).pow(2).sum().backward()
    touched = {name for name, p in encoder.model.bert.named_parameters() if p.grad is not None and p.grad.abs().sum()}
    assert "embeddings.word_embeddings.weight" in touched
    assert any("layer.0" in name for name in touched)
    assert not any("layer.1" in name for name in touched)


def test_a_folder_from_before_there_was_a_mean_of_layers(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    save_encoder(encoder, tmp_path / "out")
    settings = json.loads((tmp_path / "out" / "align.json").read_text())
    del settings["pooling"]["average_layers"]
    (tmp_path / "out" / "align.json").write_text(json.dumps(settings))
    (tmp_path / "out" / MARK).unlink()
    again = load_encoder(tmp_path / "out")
    assert again.pooling == encoder.pooling
    assert again.identity()["pooling"] == {"layer": 2, "kind": "mean", "special_tokens": True}
    assert load_encoder(bert_folder, average_layers=True).identity()["pooling"]["average_layers"] is True


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("name", ["xlm-roberta", "distilbert"])
@pytest.mark.parametrize("layer", [None, 1])
def test_other_families(name, layer, average, tokenizer, tmp_path):
    folder = family(name, tokenizer, tmp_path / name)
    encoder = load_encoder(folder, layer=layer, special_tokens=False, average_layers=average)
    vectors = encoder.encode(PLAIN_TEXTS)
    save_encoder(encoder, tmp_path / "out")
    plain = SentenceTransformer(str(tmp_path / "out"), device="cpu")
    assert np.abs(plain.encode(PLAIN_TEXTS, show_progress_bar=False) - vectors).max() < 1e-6


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_layer_k_is_hidden_states_k(bert_folder, layer):
    encoder = load_encoder(bert_folder, layer=layer)
    reference, states, both = states_at_tokens(encoder, ["abc", "hello"])
    assert torch.allclose(states.layer, reference[layer], atol=1e-6)
    assert torch.allclose(both.layer, reference[layer], atol=1e-6)
    assert torch.allclose(both.last, reference[-1], atol=1e-6)
    assert len(encoder.model.bert.encoder.layer) == 2  # the blocks are back


def test_the_whole_masked_lm_lies_beside_it(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder, layer=1)
    save_encoder(encoder, tmp_path / "out")
    whole = AutoModelForMaskedLM.from_pretrained(tmp_path / "out" / "masked_lm").eval()
    ids, attention = encoder.pad(encoder.tokenize(["abc"]))
    with torch.no_grad():
        assert torch.allclose(whole(ids, attention).logits, encoder.model(ids, attention).logits, atol=1e-6)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["num_hidden_layers"] == 1
    assert encoder.model.config.num_hidden_layers == 2


def test_a_model_without_head_or_dropped_layers_is_saved_once(tokenizer, tmp_path):
    from transformers import BertConfig

    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    save(BertModel(config, add_pooling_layer=False), tokenizer, tmp_path / "body")
    save_encoder(load_encoder(tmp_path / "body"), tmp_path / "out")
    assert not (tmp_path / "out" / "masked_lm").exists()
    assert load_encoder(tmp_path / "out").encode(["abc"]).shape == (1, 16)


def test_saving_twice_gives_the_same_bytes(bert_folder, tmp_path):
    for name in ("a", "b"):
        save_encoder(load_encoder(bert_folder), tmp_path / name)
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()


def test_any_sentence_transformers_model_loads(bert_folder, tmp_path):
    torch.manual_seed(0)
    plain = SentenceTransformer(
        modules=[Transformer(str(bert_folder)), PlainPooling(16, "cls"), Dense(16, 8), Normalize()], device="cpu",
        prompts={"q": "ask "}, default_prompt_name="q",
    )  # fmt: skip
    plain.save_pretrained(str(tmp_path / "st"))
    encoder = load_encoder(tmp_path / "st")
    assert encoder.prompt == "ask "
    assert encoder.dimension == 8
    expected = plain.encode(PLAIN_TEXTS, show_progress_bar=False)
    assert np.abs(encoder.encode(PLAIN_TEXTS) - expected).max() < 1e-6
    save_encoder(encoder, tmp_path / "again")
    assert np.abs(load_encoder(tmp_path / "again").encode(PLAIN_TEXTS) - expected).max() < 1e-6


def test_a_pooling_that_is_not_ours(bert_folder, tmp_path):
    SentenceTransformer(modules=[Transformer(str(bert_folder)), PlainPooling(16, "max")], device="cpu").save_pretrained(
        str(tmp_path / "st")
    )
    with pytest.raises(InputError, match="pools by 'max'; supported are mean, cls, weightedmean"):
        load_encoder(tmp_path / "st")


def test_vectors_do_not_depend_on_order_or_batch(bert_folder):
    encoder = load_encoder(bert_folder)
    vectors = encoder.encode(TEXTS)
    assert np.abs(encoder.encode(TEXTS[::-1])[::-1] - vectors).max() < 1e-6
    assert np.abs(encoder.encode(TEXTS, batch_tokens=1) - vectors).max() < 1e-6
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert encoder.encode([]).shape == (0, 16)


def test_raw_vectors_are_before_normalisation(bert_folder):
    encoder = load_encoder(bert_folder)
    raw, unit = encoder.encode(["abc"], raw=True)[0], encoder.encode(["abc"])[0]
    assert abs(np.linalg.norm(raw) - 1) > 1e-3
    assert np.allclose(raw / np.linalg.norm(raw), unit, atol=1e-6)


def test_identity_tells_encoders_apart(bert_folder):
    first = load_encoder(bert_folder)
    assert load_encoder(bert_folder).identity() == first.identity()
    assert load_encoder(bert_folder, layer=1).identity() != first.identity()
    assert load_encoder(bert_folder, prompt="x").identity() != first.identity()
    changed = load_encoder(bert_folder)
    with torch.no_grad():
        changed.model.bert.encoder.layer[1].output.dense.bias[0] += 1e-3
    assert changed.identity()["fingerprint"] != first.identity()["fingerprint"]


def test_nan_vectors_name_the_text(bert_folder):
    encoder = load_encoder(bert_folder)
    with torch.no_grad():
        encoder.model.bert.embeddings.word_embeddings.weight[encoder.tokenizer.convert_tokens_to_ids("z")] = float(
            "nan"
        )
    with pytest.raises(InputError, match="NaN or infinity for text 1: 'zebra'"):
        encoder.encode(["abc", "zebra"])


def test_messages(bert_folder, tmp_path):
    with pytest.raises(InputError, match="no such model folder: .*/nowhere"):
        load_encoder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty is not a model folder: it has no config.json"):
        load_encoder(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file; expected a model folder"):
        load_encoder(tmp_path / "file")
    with pytest.raises(InputError, match="pooling layer 3 does not exist: the encoder has layers 0 to 2"):
        load_encoder(bert_folder, layer=3)
    with pytest.raises(InputError, match="encode needs a list of texts, got one string"):
        load_encoder(bert_folder).encode("abc")


def test_a_folder_without_tokenizer(bert_folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (bert_folder / name).unlink()
    with pytest.raises(InputError, match=r"bert has no tokenizer: expected one of tokenizer.json"):
        load_encoder(bert_folder)


def test_a_folder_with_damaged_weights(bert_folder):
    weights = bert_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="bert cannot be loaded"):
        load_encoder(bert_folder)


def test_a_hub_name_without_network(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        InputError, match=r"'nobody/no-model' is no local folder and could not be had.*hf download nobody"
    ):
        load_encoder("nobody/no-model")
