from __future__ import annotations

import logging
import sys
import types

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from toy import quiet

from align.encoders.batching import fixed_batches
from align.encoders.blocks import recompute_activations
from align.encoders.encoder import Encoder
from align.encoders.packing import NAME, can_pack, kernel_for, lengths_of, pack, packed_attention
from align.encoders.pooling import Pooling

TEXTS = ["abc", "hello there", "a", "word", "", "zebra", "abcde"]


def model_of(family, seed=0):
    """A tiny model of a family, without dropout."""
    from transformers import (
        BertConfig,
        BertModel,
        DistilBertConfig,
        DistilBertModel,
        ModernBertConfig,
        ModernBertModel,
        MPNetConfig,
        MPNetModel,
        XLMRobertaConfig,
        XLMRobertaModel,
    )

    torch.manual_seed(seed)
    size = len(tiny_tokenizer())
    common = {
        "vocab_size": size, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 66, "pad_token_id": 0, "initializer_range": 0.2,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    }  # fmt: skip
    if family == "bert":
        return BertModel(BertConfig(**common, type_vocab_size=2), add_pooling_layer=False)
    if family == "xlm-roberta":
        return XLMRobertaModel(XLMRobertaConfig(**common, type_vocab_size=1), add_pooling_layer=False)
    if family == "mpnet":  # relative positions
        return MPNetModel(MPNetConfig(**common), add_pooling_layer=False)
    if family == "modernbert":  # windows
        plain = {key: value for key, value in common.items() if "dropout" not in key}
        return ModernBertModel(ModernBertConfig(**plain, local_attention=8))
    assert family == "distilbert"
    return DistilBertModel(
        DistilBertConfig(
            vocab_size=size, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=66,
            initializer_range=0.2, dropout=0.0, attention_dropout=0.0,
        )
    )  # fmt: skip


def encoder_of(family, attention="auto", **pooling):
    encoder = Encoder(model_of(family), tiny_tokenizer(), Pooling(**pooling), max_tokens=60)
    encoder.attention = attention
    return encoder


def loss_and_gradients(encoder, weights, **options):
    ids, attention = encoder.pad(encoder.tokenize(TEXTS))
    vectors = encoder(ids, attention, **options)
    (vectors * weights).sum().backward()
    return vectors.detach(), {n: p.grad for n, p in encoder.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("layer", [None, 0, 1])
@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "distilbert"])
def test_packed_is_padded_with_every_gradient(family, layer, average):
    made = []
    for attention in ("padded", "auto"):
        encoder = encoder_of(family, attention, layer=layer, average_layers=average)
        weights = torch.randn(len(TEXTS), 16, generator=torch.Generator().manual_seed(1))
        made.append(loss_and_gradients(encoder, weights))
        assert encoder.packs is (attention == "auto")
    (vectors, gradients), (packed, found) = made
    assert torch.allclose(packed, vectors, atol=1e-5)
    assert found.keys() == gradients.keys()
    assert any(g.abs().sum() > 0 for g in gradients.values())
    for name, gradient in gradients.items():
        assert torch.allclose(found[name], gradient, atol=1e-5), name


@pytest.mark.parametrize("family", ["bert", "xlm-roberta"])
def test_states_are_those_of_transformers_alone_and_zero_at_padding(family):
    encoder = encoder_of(family)
    ids, attention = encoder.pad(encoder.tokenize(TEXTS))
    states = encoder.hidden(ids, attention, head=True)
    padding = attention == 0
    for i, row in enumerate(encoder.tokenize(TEXTS)):
        alone = encoder.model(torch.tensor([row])).last_hidden_state[0]
        assert torch.allclose(states.last[i, : len(row)], alone, atol=1e-5)
    assert states.layer[padding].abs().sum() == 0


def test_types_and_positions_reach_their_tokens():
    ids, attention = encoder_of("bert").pad(encoder_of("bert").tokenize(TEXTS))
    kinds = torch.arange(ids.numel()).view_as(ids) % 2
    where = torch.arange(ids.shape[1]).flip(0).expand_as(ids)
    read = [
        encoder_of("bert", attention_kind).hidden(ids, attention, types=kinds, positions=where).last
        * attention[..., None]
        for attention_kind in ("padded", "auto")
    ]
    assert torch.allclose(*read, atol=1e-5)
    plain = encoder_of("bert").hidden(ids, attention).last
    assert not torch.allclose(read[1], plain, atol=1e-2)


def test_filling_up_to_a_round_number_changes_nothing():
    encoder = encoder_of("xlm-roberta")
    plain = encoder.encode(TEXTS)
    seen = []
    hook = encoder.model.encoder.layer[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[1]))
    encoder.round_to = 64
    assert np.abs(encoder.encode(TEXTS) - plain).max() < 1e-6
    hook.remove()
    assert seen == [64]


@pytest.mark.parametrize("family", ["mpnet", "modernbert"])
def test_a_model_with_another_attention_stays_padded(family):
    encoder = encoder_of(family)
    before = encoder.model.config._attn_implementation
    expected = encoder_of(family, "padded").encode(TEXTS)
    assert not encoder.packs
    assert encoder.model.config._attn_implementation == before
    assert np.array_equal(encoder.encode(TEXTS), expected)
    assert encoder.attention_in_use() == f"padded ({type(encoder.model).__name__} cannot be packed)"


def test_another_implementation_is_left_alone():
    model = tiny_bert()
    model.config._attn_implementation = "eager"
    assert not can_pack(model)
    assert model.config._attn_implementation == "eager"


def test_what_the_log_says():
    encoder = encoder_of("bert")
    assert encoder.attention_in_use() == "packed (grouped)"
    encoder.attention = "padded"
    assert encoder.attention_in_use() == "padded (as asked)"
    assert encoder_of("bert").packs
    assert kernel_for(torch.device("cpu"), torch.bfloat16, 0.0) == "grouped"
    assert kernel_for(torch.device("cuda"), torch.float32, 0.0) == "masked"
    assert kernel_for(torch.device("cuda"), torch.bfloat16, 0.1) in ("masked", "flash-attn")


def by_loops(q, k, v, packing, scale):
    """Attention of one text and head at a time; (N, H, d)."""
    out = torch.empty_like(q)
    for start, end in zip(packing.starts[:-1].tolist(), packing.starts[1:].tolist(), strict=True):
        for head in range(q.shape[1]):
            rows = slice(start, end)
            scores = q[rows, head] @ k[rows, head].T * scale
            out[rows, head] = scores.softmax(-1) @ v[rows, head]
    return out


@pytest.mark.parametrize("kernel", ["grouped", "masked", "torch-varlen", "flash-attn"])
def test_every_kernel_is_given_what_it_needs(kernel, monkeypatch):
    """The GPU's kernels are played by loops that read their arguments as documented."""
    packing = pack([3, 1, 3, 0, 5], 5, round_to=8)
    assert packing.groups == [(1, 5), (2, 3), (1, 1), (1, 4)]
    assert packing.starts.tolist() == [0, 5, 8, 11, 12, 16]
    q, k, v = torch.randn(3, 1, 2, 16, 4, generator=torch.Generator().manual_seed(0)).unbind()
    told = {}

    def varlen(q, k, v, starts, starts_k, longest, longest_k, *, scale=None, **options):
        told.update(options, longest=longest, dtype=starts.dtype)
        assert starts is starts_k and longest == longest_k
        return by_loops(q, k, v, packing, scale)

    def flash(*args, softmax_scale=None, **options):
        return varlen(*args, scale=softmax_scale, **options)

    monkeypatch.setattr("align.encoders.packing.kernel_for", lambda *_: kernel)
    monkeypatch.setitem(sys.modules, "flash_attn", types.SimpleNamespace(flash_attn_varlen_func=flash))
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen)
    got, weights = packed_attention(torch.nn.Identity(), q, k, v, None, packing=packing, scaling=0.3)
    expected = by_loops(*(x[0].transpose(0, 1) for x in (q, k, v)), packing, 0.3)
    assert weights is None
    assert got.shape == (1, 16, 2, 4)
    texts = slice(0, 16 if kernel != "masked" else 12)  # what is filled in belongs to no text
    assert torch.allclose(got[0, texts], expected[texts], atol=1e-6)
    assert got.isfinite().all()
    if "-" in kernel:
        assert told["longest"] == 5 and told["dtype"] == torch.int32
    if kernel == "flash-attn":
        assert told["dropout_p"] == 0.0


def test_dropout_of_attention_is_not_lost():
    q = k = v = torch.ones(1, 1, 4, 2)
    packing = pack([4], 4)
    torch.manual_seed(0)
    dropped, _ = packed_attention(torch.nn.Identity(), q, k, v, None, packing=packing, dropout=0.9, scaling=1.0)
    kept, _ = packed_attention(torch.nn.Identity(), q, k, v, None, packing=packing, scaling=1.0)
    assert torch.allclose(kept, torch.ones_like(kept))
    assert not torch.allclose(dropped, kept)


@pytest.mark.parametrize("extra", [{"sliding_window": 4}, {"position_bias": torch.zeros(1)}, {"softcap": 1.0}])
def test_more_than_staying_inside_the_text_is_refused(extra):
    q = torch.zeros(1, 1, 2, 2)
    with pytest.raises(NotImplementedError, match=next(iter(extra))):
        packed_attention(torch.nn.Identity(), q, q, q, None, packing=pack([2], 2), **extra)
    with pytest.raises(NotImplementedError, match="a mask"):
        packed_attention(torch.nn.Identity(), q, q, q, torch.zeros(1), packing=pack([2], 2))


def test_a_batch_without_any_token():
    ids, attention = torch.full((2, 3), 7), torch.zeros(2, 3, dtype=torch.long)
    read = [encoder_of("bert", how, special_tokens=False)(ids, attention, raw=True) for how in ("padded", "auto")]
    assert torch.equal(*read) and read[0].abs().sum() == 0


def test_padding_on_the_left_is_refused():
    with pytest.raises(ValueError, match="padded on the right"):
        lengths_of(torch.tensor([[0, 1], [1, 1]]))
    assert lengths_of(torch.tensor([[1, 0], [1, 1]])).tolist() == [1, 2]
    encoder = encoder_of("bert")
    with pytest.raises(ValueError, match="padded on the right"):
        encoder(torch.tensor([[0, 7]]), torch.tensor([[0, 1]]))


def test_a_checkpointed_block_stays_packed():
    """Activations that are recomputed in the backward pass must attend as they did before."""
    made = []
    for recompute in (False, True):
        encoder = encoder_of("bert")
        if recompute:
            recompute_activations(encoder.model, True)
        encoder.train()
        made.append(loss_and_gradients(encoder, torch.arange(len(TEXTS) * 16.0).view(-1, 16)))
    assert torch.allclose(made[0][0], made[1][0], atol=1e-6)
    for name, gradient in made[0][1].items():
        assert torch.allclose(gradient, made[1][1][name], atol=1e-5), name


def test_our_attention_is_not_written_into_a_saved_model(tmp_path):
    encoder = encoder_of("bert")
    assert encoder.packs
    encoder.model.save_pretrained(tmp_path)
    assert NAME not in (tmp_path / "config.json").read_text().replace('"align_', "")
    again = type(encoder.model).from_pretrained(tmp_path)
    assert again.config._attn_implementation == "sdpa"


def test_a_vector_does_not_depend_on_the_texts_beside_it():
    rng = np.random.default_rng(0)
    texts = ["".join(chr(97 + c) for c in rng.integers(0, 24, rng.integers(1, 50))) for _ in range(60)]
    for family, dtype in (("bert", torch.float32), ("bert", torch.bfloat16), ("mpnet", torch.float32)):
        encoder = quiet(encoder_of(family)).to(dtype)
        whole = encoder.encode(texts, deterministic=True)
        alone = np.concatenate([encoder.encode([text], deterministic=True) for text in texts[:9]])
        assert np.abs(alone - whole[:9]).max() <= 1e-6
        assert np.abs(whole - encoder.encode(texts)).max() < (1e-6 if dtype == torch.float32 else 0.05)
        assert encoder.round_to == 1


def test_fixed_batches_have_one_shape_a_length():
    lengths = np.random.default_rng(0).integers(1, 9, 100)
    made = fixed_batches(lengths, 16)
    assert sorted(np.concatenate([rows[:real] for rows, real in made]).tolist()) == list(range(100))
    for rows, _ in made:
        (length,) = set(lengths[rows].tolist())
        assert len(rows) == 16 // length
    assert fixed_batches(np.empty(0, dtype=np.int64), 16) == []
    assert [rows.tolist() for rows, _ in fixed_batches(np.array([99]), 16)] == [[0]]


def test_nothing_is_logged_by_asking(caplog):
    with caplog.at_level(logging.WARNING):
        assert not encoder_of("mpnet").packs
    assert not caplog.records


def test_a_text_that_says_pad_stands_where_roberta_puts_it():
    ids, attention = torch.tensor([[7, 0, 8, 9], [7, 8, 9, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    padded, packed = (encoder_of("xlm-roberta", kind).hidden(ids, attention).last for kind in ("padded", "auto"))
    assert torch.allclose(packed[attention.bool()], padded[attention.bool()], atol=1e-5)


def test_a_model_is_asked_in_float32_whatever_stands_around():
    """Under autocast both ways are rounded, each at other places, and differ by more than the tolerance."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=60, hidden_size=64, num_hidden_layers=4, num_attention_heads=4, intermediate_size=128,
        initializer_range=0.5,
    )  # fmt: skip
    with torch.autocast("cpu", torch.bfloat16):
        assert can_pack(BertModel(config).eval())
