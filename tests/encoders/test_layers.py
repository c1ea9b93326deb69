from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer

from align.encoders import layers as module
from align.encoders.checkpoint import load_encoder
from align.encoders.decoder import Decoder, is_decoder, load_decoder
from align.encoders.encoder import Encoder
from align.encoders.layer_vectors import LayerVectors
from align.encoders.layers import encode_layers, last_token, layer_numbers
from align.encoders.pooling import Pooling
from align.errors import InputError

TEXTS = ["abc", "de fg hi", "", "j", "klm nopq rst", "uv", "αβγ δ"]


class Dense(torch.nn.Module):
    out_features = 5

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(16, 5)

    def forward(self, features):
        return features | {"sentence_embedding": self.linear(features["sentence_embedding"])}


def encoder(pooling=None, **options):
    torch.manual_seed(1)
    return Encoder(tiny_bert(3), tiny_tokenizer(), pooling or Pooling(), **options).eval()


def at_layer(one, k):
    return Encoder(
        one.model, one.tokenizer, replace(one.pooling, layer=k), tail=list(one.tail), unit=one.unit, prompt=one.prompt
    ).eval()


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize(
    "pooling",
    [
        Pooling(),
        Pooling(special_tokens=False),
        Pooling(kind="weighted"),
        Pooling(kind="cls", layer=1),
        Pooling(average_layers=True),
    ],
)
def test_equal_to_encoding_at_each_layer(pooling, unit):
    one = encoder(pooling, unit=unit, prompt="q ")
    found = encode_layers(one, TEXTS, batch_tokens=16)
    assert (found.shape, found.dtype) == ((4, len(TEXTS), 16), np.float32)
    for k in range(4):
        assert np.abs(found[k] - at_layer(one, k).encode(TEXTS)).max() < 1e-6
    assert np.abs(found[1] - found[3]).max() > 0.01  # else nothing was compared
    if unit:
        assert np.linalg.norm(found[:, [0, 1, 3]], axis=2) == pytest.approx(1, abs=1e-5)


def test_a_tail_is_put_on_every_layer():
    one = encoder(tail=[Dense()])
    found = encode_layers(one, TEXTS)
    assert found.shape == (4, len(TEXTS), 5)
    for k in range(4):
        assert np.abs(found[k] - at_layer(one, k).encode(TEXTS)).max() < 1e-6


@pytest.mark.parametrize("kinds", [None, ["mean", "last", "cls"]])
def test_a_tail_in_bfloat16(kinds):
    one, half = encoder(tail=[Dense()]), encoder(tail=[Dense()]).in_bfloat16()
    found = encode_layers(half, TEXTS, kinds=kinds)
    for kind, vectors in (found if kinds else {None: found}).items():
        expected = encode_layers(one, TEXTS, kinds=None if kind is None else [kind])
        assert np.einsum("lnd,lnd->ln", vectors, expected if kind is None else expected[kind]).min() > 0.99
    for k in range(0 if kinds else 4):
        alone = at_layer(half, k).encode(TEXTS)
        assert np.abs(found[k] - alone).max() < 0.02


@pytest.mark.parametrize("special_tokens", [True, False])
def test_several_poolings_at_once(special_tokens):
    one = encoder(Pooling(special_tokens=special_tokens), unit=False)
    found = encode_layers(one, TEXTS, kinds=["weighted", "mean", "last", "cls"], batch_tokens=20)
    assert list(found) == ["weighted", "mean", "last", "cls"]
    for i, text in enumerate(TEXTS):
        ids = torch.tensor(one.tokenize([text]))
        with torch.no_grad():
            states = one.body(input_ids=ids, output_hidden_states=True).hidden_states
        for k, state in enumerate(states):
            tokens = state[0] if special_tokens else state[0, 1:-1]
            weights = torch.arange(1, len(state[0]) + 1.0)[:, None]
            weights = weights if special_tokens else weights[1:-1]
            expected = {"last": state[0, -1], "cls": state[0, 0]}
            expected["mean"] = tokens.mean(0) if len(tokens) else torch.zeros(16)
            expected["weighted"] = (weights * tokens).sum(0) / weights.sum() if len(tokens) else torch.zeros(16)
            for kind, vector in expected.items():
                assert np.abs(found[kind][k, i] - vector.numpy()).max() < 1e-5, (kind, k, text)


def test_some_layers_in_their_order_and_no_block_above_them_is_run():
    one = encoder()
    ran = []
    for i, block in enumerate(one.body.encoder.layer):
        block.register_forward_hook(lambda *_, i=i: ran.append(i))
    every = encode_layers(one, TEXTS)
    ran.clear()
    found = encode_layers(one, TEXTS, layers=[2, 0])
    assert set(ran) == {0, 1}
    assert np.abs(found - every[[2, 0]]).max() < 1e-6


def test_states_are_pooled_batch_by_batch_and_each_text_runs_once():
    one = encoder()
    shapes = []
    one.body.embeddings.register_forward_hook(lambda *a: shapes.append(tuple(a[2].shape)))
    encode_layers(one, TEXTS, batch_tokens=16)
    assert sum(shape[0] for shape in shapes) == len(TEXTS) and len(shapes) > 1
    assert all(b * t <= 16 or b == 1 for b, t, _ in shapes)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_comes_back_after_an_error_too(training):
    one = encoder().train(training)
    with torch.no_grad():
        one.model.bert.encoder.layer[1].output.dense.bias[0] = torch.nan
    with pytest.raises(InputError, match="NaN or infinity at layer 2"), LayerVectors(one) as vectors:
        vectors(TEXTS)
    assert one.training is one.model.training is training


def test_training_mode_comes_back_and_dropout_is_off():
    one = encoder().train()
    found = encode_layers(one, TEXTS)
    assert one.training
    assert np.array_equal(found, encode_layers(one, TEXTS))


def test_nothing_to_encode():
    assert encode_layers(encoder(), []).shape == (4, 0, 16)


def test_last_token_on_either_side_of_the_padding():
    hidden = torch.arange(8.0).reshape(2, 4, 1)
    attention = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1]])
    assert last_token(hidden, attention, attention).flatten().tolist() == [1.0, 7.0]


def test_a_model_that_norms_its_last_layer_only_is_run_whole():
    from transformers import ModernBertConfig, ModernBertModel

    torch.manual_seed(0)
    model = ModernBertModel(
        ModernBertConfig(
            vocab_size=60, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=64, pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3,
        )
    ).eval()  # fmt: skip
    one = Encoder(model, tiny_tokenizer(), Pooling()).eval()
    every = encode_layers(one, TEXTS)
    assert np.abs(every[3] - one.encode(TEXTS)).max() < 1e-6
    assert np.abs(encode_layers(one, TEXTS, layers=[1])[0] - every[1]).max() < 1e-6


def test_a_decoder_loaded_as_an_encoder_is_run_whole_too():
    one = Encoder(tiny_decoder().base_model, tiny_tokenizer(), Pooling()).eval()
    every = encode_layers(one, TEXTS)
    assert np.abs(every[3] - one.encode(TEXTS)).max() < 1e-6
    assert np.abs(encode_layers(one, TEXTS, layers=[1])[0] - every[1]).max() < 1e-6


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layers": [4]}, "layer 4 does not exist: the encoder has layers 0 to 3"),
        ({"layers": [-1]}, "layer -1 does not exist"),
        ({"layers": [1, 1]}, "expected at least one layer, each once, got [1, 1]"),
        ({"layers": []}, "expected at least one layer, each once, got []"),
        ({"kinds": ["max"]}, "unknown pooling 'max': expected one of mean, weighted, last, cls"),
        ({"kinds": []}, "expected at least one pooling, each once, got []"),
        ({"kinds": ["mean", "mean"]}, "expected at least one pooling, each once"),
    ],
)
def test_messages(options, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)):
        encode_layers(encoder(), TEXTS, **options)


def test_one_string_is_no_list_of_texts():
    for encode in (lambda text: encode_layers(encoder(), text), LayerVectors(encoder(), keep="float16")):
        with pytest.raises(InputError, match="a list of texts, got one string"):
            encode("abc")


def test_nan_names_layer_and_text():
    one = encoder()
    one.body.encoder.layer[1].output.LayerNorm.bias.data[3] = float("nan")
    with pytest.raises(InputError, match="gives NaN or infinity at layer 2 for text 4: 'klm nopq rst'"):
        encode_layers(one, TEXTS, layers=[1, 2], batch_tokens=8)  # the longest text goes first
    assert np.isfinite(encode_layers(one, TEXTS, layers=[0, 1])).all()


# Vectors kept


@pytest.mark.parametrize(("keep", "tolerance"), [("disk", 0), ("float16", 1e-3)])
def test_each_text_is_encoded_once_for_all_layers(keep, tolerance, monkeypatch):
    one, calls = encoder(), []
    real = module.budget_batches
    monkeypatch.setattr(module, "budget_batches", lambda *a: calls.append(len(a[0])) or real(*a))
    expected = encode_layers(one, TEXTS)
    calls.clear()
    with LayerVectors(one, keep=keep) as vectors:
        assert vectors.layers == (0, 1, 2, 3)
        for k in vectors.layers:
            assert np.abs(vectors.at(k)(TEXTS, "eng_Latn") - expected[k]).max() <= tolerance
            assert np.abs(vectors.at(k)(TEXTS[:2], "eng_Latn") - expected[k][:2]).max() <= max(tolerance, 1e-6)
        assert vectors([], "eng_Latn").shape == (4, 0, 16)
    assert calls == [len(TEXTS), 2, 0]


def test_the_folder_goes_with_the_context():
    with LayerVectors(encoder(), layers=[3, 1], kind="last") as vectors:
        folder = Path(vectors._folder.name)
        rows = vectors.at(1)(TEXTS, "")
        assert isinstance(rows, np.memmap) and rows.dtype == np.float32
        assert np.array_equal(rows, encode_layers(encoder(), TEXTS, kinds=["last"])["last"][1])
        assert list(folder.iterdir())
    assert not folder.exists()


def test_messages_of_kept_vectors():
    with pytest.raises(InputError, match="kept as disk or float16, got 'ram'"):
        LayerVectors(encoder(), keep="ram")
    with pytest.raises(InputError, match="float16 holds unit vectors only"):
        LayerVectors(encoder(unit=False), keep="float16")
    with pytest.raises(InputError, match=re.escape("no vectors of layer 2 are kept: expected one of [0, 1]")):
        LayerVectors(encoder(), layers=[0, 1], keep="float16").at(2)


# Decoder-only models


def tiny_decoder(name="llama"):
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = {"vocab_size": 60, "bos_token_id": 2, "eos_token_id": 3, "initializer_range": 0.2}
    if name == "gpt2":
        return GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=3, n_head=2, n_positions=64, **sizes)).eval()
    config = LlamaConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, max_position_embeddings=64,
        **sizes,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    model.model.norm.weight.data.uniform_(0.1, 3)  # else a unit vector hides it
    return model


@pytest.fixture(params=["llama", "gpt2"])
def decoder_folder(tmp_path, request):
    folder = tmp_path / request.param
    tiny_decoder(request.param).save_pretrained(folder)
    tokenizer = tiny_tokenizer()
    tokenizer.padding_side = "left"  # must not matter
    tokenizer.save_pretrained(folder)
    return folder


def test_decoder_equals_its_states_one_text_at_a_time(decoder_folder):
    decoder = load_decoder(decoder_folder)
    texts = [text for text in TEXTS if text]
    found = encode_layers(decoder, texts, kinds=["weighted", "last", "mean"], batch_tokens=40)
    whole = tiny_decoder(decoder_folder.name)  # with its head
    assert (found["last"].shape, decoder.depth, decoder.dimension) == ((4, len(texts), 16), 3, 16)
    for i, text in enumerate(texts):
        ids = torch.tensor([tiny_tokenizer()(text)["input_ids"]])
        with torch.no_grad():
            states = whole(input_ids=ids, output_hidden_states=True).hidden_states
        for k, state in enumerate(states):
            weights = torch.arange(1, ids.shape[1] + 1.0)[:, None]
            expected = {"last": state[0, -1], "mean": state[0].mean(0)}
            expected["weighted"] = (weights * state[0]).sum(0) / weights.sum()
            for kind, vector in expected.items():
                vector = (vector / vector.norm()).numpy()
                assert np.abs(found[kind][k, i] - vector).max() < 1e-5, (kind, k, text)
    assert np.array_equal(encode_layers(decoder, texts, batch_tokens=40), found["weighted"])  # its own pooling


def test_the_mask_is_causal(decoder_folder):
    decoder = load_decoder(decoder_folder)
    ids, attention = decoder.pad([[2, 5, 6, 7], [2, 5, 9, 9]])
    with torch.no_grad():
        states = decoder.body(input_ids=ids, attention_mask=attention).last_hidden_state
    assert torch.allclose(states[0, :2], states[1, :2], atol=1e-6)
    assert not torch.allclose(states[0, 2], states[1, 2], atol=1e-3)


def test_the_configuration_says_what_a_model_is(decoder_folder, bert_folder, tmp_path):
    assert is_decoder(decoder_folder)
    assert not is_decoder(bert_folder) and not is_decoder("seed")
    from align.encoders.saving import save_encoder

    save_encoder(load_encoder(bert_folder), tmp_path / "saved")
    assert not is_decoder(tmp_path / "saved")


def test_identity_of_a_decoder(decoder_folder):
    decoder = load_decoder(decoder_folder, prompt="q ", max_tokens=9)
    identity = decoder.identity()
    assert {**identity, "fingerprint": ""} == {
        "fingerprint": "", "unit": True, "prompt": "q ", "max_tokens": 9, "dimension": 16, "dtype": "float32",
    }  # fmt: skip
    assert decoder.name == str(decoder_folder)
    assert max(map(len, decoder.tokenize(["a" * 40]))) == 9 and decoder.tokenize([]) == []
    assert decoder.tokenize(["ab\ud800"]) == [tiny_tokenizer()("q ab\ufffd")["input_ids"]]
    next(decoder.model.parameters()).data[0, 0] += 1
    assert decoder.identity()["fingerprint"] != identity["fingerprint"]
    half = load_decoder(decoder_folder, dtype="bfloat16")
    assert half.identity()["dtype"] == "bfloat16"
    vectors = encode_layers(half, ["abc"])
    assert vectors.dtype == np.float32 and np.isfinite(vectors).all()


def test_messages_of_decoders(decoder_folder, tmp_path):
    decoder = load_decoder(decoder_folder)
    with pytest.raises(InputError, match="cls pooling of a decoder reads a token that sees no other"):
        encode_layers(decoder, ["a"], kinds=["cls"])
    with pytest.raises(InputError, match="layer 4 does not exist: the encoder has layers 0 to 3"):
        layer_numbers(decoder, [4])
    with pytest.raises(InputError, match="unknown dtype 'int8': expected one of float32, bfloat16, float16"):
        load_decoder(decoder_folder, dtype="int8")
    with pytest.raises(InputError, match="no such model folder"):
        load_decoder(tmp_path / "nowhere")
    weights = decoder_folder / "model.safetensors"
    torch.save({"a": torch.zeros(1)}, decoder_folder / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(InputError, match="safetensors"):  # a pickle is not read
        load_decoder(decoder_folder)
    (decoder_folder / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="has no tokenizer"):
        load_decoder(decoder_folder)


def test_a_text_without_a_token_is_named():
    from tokenizers import processors

    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    decoder = Decoder(tiny_decoder().base_model, tokenizer)
    with pytest.raises(InputError, match="text 1 has no token: ''"):
        encode_layers(decoder, ["a", ""])


def test_deeper_layers_after_lower_ones(bert_folder):
    """transformers keeps states of the blocks that are in place at its first call, and of no others ever after."""
    texts = ["abc de", "f"]
    encoder, fresh = load_encoder(bert_folder), load_encoder(bert_folder)
    encode_layers(encoder, texts, layers=[1])
    assert np.array_equal(encode_layers(encoder, texts), encode_layers(fresh, texts))


def test_the_last_states_after_an_average_of_the_first(bert_folder):
    encoder = load_encoder(bert_folder, layer=1, average_layers=True)
    whole = load_encoder(bert_folder)
    ids, attention = encoder.pad(encoder.tokenize(["abc de"]))
    with torch.no_grad():
        encoder.hidden(ids, attention)
        found, last = encoder.hidden(ids, attention, head=True), whole.hidden(ids, attention)
        states = whole.body(ids, attention, output_hidden_states=True).hidden_states
    assert torch.allclose(found.last, last.last, atol=1e-6)
    assert torch.allclose(found.layer, (states[0] + states[1]) / 2, atol=1e-6)
