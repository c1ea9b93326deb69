"""The shape of a fusion, its score by hand, its gradients, and which encoders it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from toy import greek, quiet, words
from transformers import (
    DistilBertConfig,
    DistilBertModel,
    ModernBertConfig,
    ModernBertModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from align.encoders.checkpoint import load_encoder
from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling
from align.errors import InputError
from align.reranking.fusion import Fusion, Shape, Texts, run
from align.reranking.scorer import Scorer

LONG, SHORT = ["abcdef", "ab"], ["cd", "abcdefgh"]


def encoder_of(layers=3, **pooling):
    return quiet(Encoder(tiny_bert(layers), tiny_tokenizer(), Pooling(**pooling)))


def alone(encoder, shape, first, second):
    """The score of one pair without padding: the definition, text by text."""
    model, fusion = encoder.model, Fusion(encoder, shape)
    torch.manual_seed(1)
    with torch.no_grad():
        for one in (fusion.sides, fusion.weights, fusion.bias):
            one.copy_(torch.randn(one.shape))
    layers = model.bert.encoder.layer
    states = []
    for side, text in enumerate((first, second)):
        ids = torch.tensor([tiny_tokenizer()(text)["input_ids"]])
        states.append(model.bert(ids, output_hidden_states=True).hidden_states[shape.separate] + fusion.sides[side])
    both = torch.cat(states, dim=1)
    for k in range(shape.joint):
        both = layers[shape.separate + k](both)
    vectors = []
    for part in torch.split(both, [len(first) + 2, len(second) + 2], dim=1):
        for layer in layers[shape.separate + shape.joint :]:
            part = layer(part)
        inside = part[0] if encoder.pooling.special_tokens else part[0, 1:-1]
        vectors.append(inside.mean(0) / inside.mean(0).norm())
    return fusion, ((vectors[0] * vectors[1]) @ fusion.weights / 0.05 + fusion.bias).item()


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("shape", [Shape(0, 3), Shape(1, 1), Shape(2, 1), Shape(0, 1), Shape(1, 2)])
def test_scores_are_those_of_the_definition_beside_longer_texts(shape, special):
    encoder = encoder_of(special_tokens=special)
    expected = [alone(encoder, shape, a, b)[1] for a, b in zip(LONG, SHORT, strict=True)]
    scorer = Scorer(encoder, alone(encoder, shape, "a", "b")[0].eval(), 64)
    assert scorer.score(LONG, SHORT).tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert scorer.score(LONG, SHORT, batch_tokens=1).tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_an_untrained_one_of_no_joint_reading_is_the_cosine():
    encoder = encoder_of()
    fusion = Fusion(encoder, Shape(2, 1))
    apart = torch.full((1, 1), 1.0)
    states = encoder.hidden(*encoder.pad(encoder.tokenize(["abc"]))).layer
    fusion.blocks = torch.nn.ModuleList()  # what is pooled goes in
    special = torch.zeros(1, states.shape[1], dtype=torch.bool)
    texts = Texts(states, apart.expand(1, states.shape[1]), special)
    assert fusion(texts, texts).item() == pytest.approx(20)  # 1 / 0.05


def test_it_reads_both_texts_together_and_knows_the_sides():
    encoder = encoder_of()
    scorer = Scorer(encoder, Fusion(encoder, Shape(1, 1)).eval(), 64)
    one, other = scorer.score(["abc", "cd"], ["cd", "abc"])
    assert one == pytest.approx(other, abs=1e-4)  # the sides are equal before training
    with torch.no_grad():
        scorer.fusion.sides[1] += torch.linspace(-1, 1, 16)
    one, other = scorer.score(["abc", "cd"], ["cd", "abc"])
    assert abs(one - other) > 1e-3
    assert scorer.score([], []).shape == (0,)


def test_gradients_reach_all_that_is_learnt_and_nothing_else():
    encoder = encoder_of()
    scorer = Scorer(encoder, Fusion(encoder, Shape(1, 1)), 64)
    scorer.fusion(scorer.states(LONG), scorer.states(SHORT)).square().sum().backward()
    reached = {name: p.grad is not None and p.grad.abs().max() > 0 for name, p in scorer.fusion.named_parameters()}
    # a softmax over keys is blind to what is added to all of them
    assert all(found for name, found in reached.items() if "key.bias" not in name), reached
    assert len(scorer.fusion.blocks) == 2 and all(p.grad is None for p in encoder.parameters())
    assert not {p.data_ptr() for p in scorer.fusion.parameters()} & {p.data_ptr() for p in encoder.parameters()}


def test_xlm_roberta_and_a_lower_layer():
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=len(tiny_tokenizer()), hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=32, pad_token_id=0, initializer_range=0.2,
    )  # fmt: skip
    encoder = quiet(Encoder(XLMRobertaModel(config).eval(), tiny_tokenizer(), Pooling(layer=2)))
    ids, attention = encoder.pad(encoder.tokenize(LONG))
    start = encoder.model(ids, attention_mask=attention, output_hidden_states=True).hidden_states
    made = run(encoder.model.encoder.layer[:2], start[0], attention)
    there = attention.bool()
    assert torch.allclose(made[there], start[2][there], atol=1e-5)
    assert len(Fusion(encoder, Shape(0, 1)).blocks) == 2
    with pytest.raises(InputError, match="at most the 2 that the encoder pools; got 1 and 2"):
        Fusion(encoder, Shape(1, 2))


def test_what_cannot_be_fused_is_refused(bert_folder):
    for shape in (Shape(-1, 1), Shape(1, 0), Shape(3, 1)):
        with pytest.raises(InputError, match="separate layers of at least 0 and joint ones of at least 1"):
            Fusion(encoder_of(), shape)
    for pooling in (Pooling(with_average=True), Pooling(average_layers=True)):
        with pytest.raises(InputError, match="a scorer"):
            encoder = encoder_of()
            encoder.pooling = pooling
            Fusion(encoder, Shape(1, 1))
    config = ModernBertConfig(
        vocab_size=len(tiny_tokenizer()), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3,
    )  # fmt: skip
    with pytest.raises(InputError, match="pools the last of them, which ModernBertModel here does not allow"):
        Fusion(Encoder(ModernBertModel(config), tiny_tokenizer(), Pooling()), Shape(0, 1))
    encoder = load_encoder(bert_folder)
    scorer = Scorer(encoder, Fusion(encoder, Shape(1, 1)).eval(), 64)
    with pytest.raises(InputError, match="as many queries as candidates, got 2 and 1"):
        scorer.score(["a", "b"], ["c"])
    with torch.no_grad():
        scorer.fusion.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="NaN or infinity for 'a', 'b'"):
        scorer.score(["a"], ["b"])


def test_scores_of_many_pairs_are_in_their_order(monkeypatch):
    encoder = encoder_of()
    scorer = Scorer(encoder, Fusion(encoder, Shape(1, 1)).eval(), 64)
    first, second = words(40), greek(words(40, seed=1))
    one_by_one = [scorer.score([a], [b])[0] for a, b in zip(first, second, strict=True)]
    monkeypatch.setattr("align.reranking.scorer.CHUNK", 7)
    assert scorer.score(first, second, batch_tokens=40).tolist() == pytest.approx(one_by_one, abs=1e-4)
    cut = replace(scorer, max_tokens=4)
    assert cut.score(["abcdef"], ["a"]) != pytest.approx(scorer.score(["abcdef"], ["a"]))


def test_distilbert():
    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=len(tiny_tokenizer()), dim=16, n_layers=2, n_heads=2, hidden_dim=32, initializer_range=0.2
    )
    encoder = quiet(Encoder(DistilBertModel(config).eval(), tiny_tokenizer(), Pooling()))
    assert len(Fusion(encoder, Shape(1, 1)).blocks) == 1  # its layers make the states that it makes itself
