"""Bottleneck adapters: what they add, where they lie, and who refuses them."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from toy import words

from align.encoders.adapters.bottleneck import (
    Bottleneck,
    Bottlenecks,
    bottlenecks,
    new_bottlenecks,
    put_bottlenecks,
    without_bottlenecks,
)
from align.encoders.checkpoint import load_encoder
from align.encoders.layers import encode_layers
from align.encoders.merging.merge import merge
from align.encoders.saving import save_encoder
from align.encoders.trimming import with_rows
from align.errors import InputError


def drawn(encoder, numbers=(0, 1), *, size=2, seed=0):
    """Put adapters with drawn weights on an encoder."""
    made = new_bottlenecks(encoder.model, numbers, encoder.body.config.hidden_size // size)
    torch.manual_seed(seed)
    for parameter in (p for adapters in made.values() for p in adapters.parameters()):
        torch.nn.init.normal_(parameter, std=0.5)
    put_bottlenecks(encoder.model, made)
    return encoder


def test_the_formula_by_hand():
    one = Bottleneck(2, 1)
    one.down.weight.data, one.down.bias.data = torch.tensor([[1.0, 0.0]]), torch.tensor([0.5])
    one.up.weight.data, one.up.bias.data = torch.tensor([[2.0], [0.0]]), torch.tensor([0.0, 3.0])
    # LN of (3, 1): mean 2, variance 1 -> (1, -1); W_d: 1 + 0.5; gelu(1.5) = 1.5 * 0.93319
    added = one(torch.tensor([[3.0, 1.0]]))
    assert torch.allclose(added, torch.tensor([[2 * 1.5 * 0.933193, 3.0]]), atol=1e-3)
    states = torch.tensor([[3.0, 1.0]])
    assert torch.allclose(Bottlenecks([one])(states), states + added)
    other = copy.deepcopy(one)
    other.up.bias.data += 1
    both = Bottlenecks([one, other], [0.25, 0.75])(states)
    assert torch.allclose(both, states + 0.25 * added + 0.75 * other(states))


def test_gradients_reach_the_states_and_every_weight():
    torch.manual_seed(0)
    one = Bottleneck(4, 2).double()
    torch.nn.init.normal_(one.up.weight)
    states = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Bottlenecks([one, copy.deepcopy(one)], [0.5, 0.5]).double(), (states,))
    one(states).pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in one.parameters())


def test_a_new_adapter_adds_nothing(bert_folder):
    encoder = load_encoder(bert_folder)
    before = encoder.encode(words(5))
    put_bottlenecks(encoder.model, new_bottlenecks(encoder.model, [0, 1], 4))
    assert np.array_equal(encoder.encode(words(5)), before)


@pytest.mark.parametrize("options", [{}, {"layer": 1}, {"average_layers": True}])
def test_vectors_are_those_of_blocks_run_by_hand(bert_folder, options):
    encoder = load_encoder(bert_folder, **options)
    encoder.encode(words(2))  # transformers puts its own hooks on the blocks at the first call
    drawn(encoder)
    ids, attention = encoder.pad(encoder.tokenize(words(4)))
    with torch.no_grad(), without_bottlenecks(encoder.model) as on:
        states = [encoder.body.embeddings(ids)]
        mask = (1.0 - attention[:, None, None, :].float()) * -1e9
        for number, block in enumerate(encoder.body.encoder.layer):
            states.append(on[number](block(states[-1], attention_mask=mask)))
    read = states[: encoder.layer + 1]
    pooled = torch.stack(read).mean(0) if options.get("average_layers") else read[-1]
    real = attention[:, :, None].float()
    expected = torch.nn.functional.normalize((pooled * real).sum(1) / real.sum(1), dim=-1)
    assert np.abs(encoder.encode(words(4)) - expected.numpy()).max() < 1e-5
    if not options:
        every = encode_layers(encoder, words(4))
        assert np.abs(every[-1] - encoder.encode(words(4))).max() < 1e-5


def test_without_them_the_encoder_is_as_it_was(bert_folder):
    encoder = load_encoder(bert_folder)
    before, identity = encoder.encode(words(5)), encoder.identity()
    drawn(encoder)
    assert np.abs(encoder.encode(words(5)) - before).max() > 1e-2
    assert encoder.identity() != identity
    with without_bottlenecks(encoder.model):
        assert np.array_equal(encoder.encode(words(5)), before)
        assert encoder.identity() == identity
    assert sorted(bottlenecks(encoder.model)) == [0, 1]


def test_replaced_ones_are_heard_once(bert_folder):
    once, twice = drawn(load_encoder(bert_folder)), load_encoder(bert_folder)
    drawn(drawn(twice, seed=5), seed=0)
    assert np.array_equal(once.encode(words(5)), twice.encode(words(5)))


def test_a_saved_encoder_gives_the_same_vectors(bert_folder, tmp_path):
    encoder = drawn(load_encoder(bert_folder, prompt="ab"), [1])
    save_encoder(encoder, tmp_path / "out")
    again = load_encoder(tmp_path / "out")
    assert np.array_equal(again.encode(words(5)), encoder.encode(words(5)))
    assert again.identity() == encoder.identity()
    assert type(again.model) is type(encoder.model)
    assert "cannot be merged" in (tmp_path / "out" / "README.md").read_text()


def test_plain_sentence_transformers_refuses_the_folder_and_loads_the_base(bert_folder, tmp_path):
    encoder = drawn(load_encoder(bert_folder))
    save_encoder(encoder, tmp_path / "out")
    with pytest.raises(Exception, match=r"config\.json|model_type|Unrecognized"):
        SentenceTransformer(str(tmp_path / "out"), device="cpu")
    base = SentenceTransformer(str(tmp_path / "out" / "base"), device="cpu").encode(words(5))
    assert np.abs(base - load_encoder(bert_folder).encode(words(5))).max() < 1e-5


def test_what_reads_the_weights_alone_refuses_them(bert_folder, tmp_path):
    encoder = drawn(load_encoder(bert_folder))
    with pytest.raises(InputError, match="bottleneck adapters on its blocks, which cannot be merged"):
        with_rows(encoder.model, [0, 1])
    with pytest.raises(InputError, match="reduction divides the width of the states, 16; got 1000"):
        new_bottlenecks(encoder.model, [0], 1000)


def test_a_damaged_folder_is_told(bert_folder, tmp_path):
    save_encoder(drawn(load_encoder(bert_folder)), tmp_path / "out")
    file = tmp_path / "out" / "align.json"
    told = json.loads(file.read_text())
    told["bottlenecks"]["shares"] = [0.5, 0.5]
    (tmp_path / "out" / ".align-folder.json").unlink()
    file.write_text(json.dumps(told))
    with pytest.raises(InputError, match=r"bottlenecks\.safetensors: no adapter of block 0 as align\.json has it"):
        load_encoder(tmp_path / "out")


def test_several_are_fused_by_their_shares(bert_folder, tmp_path):
    for name, seed in (("a", 1), ("b", 2)):
        save_encoder(drawn(load_encoder(bert_folder), seed=seed), tmp_path / name)
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out", weights=[0.25, 0.75])
    again = load_encoder(tmp_path / "out")
    a, b = (bottlenecks(load_encoder(tmp_path / name).model)[1] for name in "ab")
    states = torch.randn(3, 5, again.body.config.hidden_size)
    with torch.no_grad():
        expected = 0.25 * a(states) + 0.75 * b(states)  # x is in both
        assert torch.allclose(bottlenecks(again.model)[1](states), expected, atol=1e-5)
    merge([tmp_path / "out", tmp_path / "a"], tmp_path / "three", weights=[0.5, 0.5])
    fused = bottlenecks(load_encoder(tmp_path / "three").model)[0]
    assert fused.shares.tolist() == [0.125, 0.375, 0.5]
    merge([tmp_path / "a", tmp_path / "a"], tmp_path / "same")
    vectors = load_encoder(tmp_path / "a").encode(words(5))
    assert np.abs(load_encoder(tmp_path / "same").encode(words(5)) - vectors).max() < 1e-5


def test_adapters_that_cannot_stand_side_by_side(bert_folder, tmp_path):
    save_encoder(drawn(load_encoder(bert_folder)), tmp_path / "a")
    save_encoder(drawn(load_encoder(bert_folder), [1]), tmp_path / "above")
    other = load_encoder(bert_folder)
    other.body.encoder.layer[0].output.dense.weight.data += 1
    save_encoder(drawn(other), tmp_path / "other")
    with pytest.raises(InputError, match="on other blocks"):
        merge([tmp_path / "a", tmp_path / "above"], tmp_path / "out")
    with pytest.raises(InputError, match="on other weights"):
        merge([tmp_path / "a", tmp_path / "other"], tmp_path / "out")
    with pytest.raises(InputError, match="slerp merges weights"):
        merge([tmp_path / "a", tmp_path / "a"], tmp_path / "out", method="slerp")
    assert not (tmp_path / "out").exists()


def test_they_are_copied_with_the_encoder(bert_folder):
    encoder = drawn(load_encoder(bert_folder))
    again = copy.deepcopy(encoder)
    before = encoder.encode(words(3))
    put_bottlenecks(encoder.model, new_bottlenecks(encoder.model, [0, 1], 4))
    assert np.array_equal(again.encode(words(3)), before)
    again.pooling = replace(again.pooling, layer=1)
    assert again.encode(words(3)).shape == before.shape
