"""Under bfloat16 autocast, all that follows the pooling stays in float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer.modules import Dense
from torch import nn
from toy import quiet, table, words

from align.encoders.checkpoint import load_encoder
from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling
from align.errors import InputError
from align.objectives.anchor import AnchorOptions
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.distillation.distil import DistilOptions
from align.objectives.graded import GradedOptions
from align.objectives.objective import PlainOptions
from align.training import inputs, stage
from align.training.batches import Batches
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.store import build_store
from align.training.train import train

ROWS = np.arange(24)


@pytest.fixture
def encoder(bert_folder):
    """One with a Dense tail, whose vectors share a large part that bfloat16 would leave little beside."""
    plain = load_encoder(bert_folder)
    torch.manual_seed(0)
    dense = Dense(16, 12, activation_function=nn.Identity())
    with torch.no_grad():
        dense.linear.bias.fill_(20.0)
    return quiet(Encoder(plain.model, plain.tokenizer, Pooling(), tail=[dense]))


def step(encoder, recipe, *, bf16):
    """Loss, terms and gradients by all but the model, on the vectors that bfloat16 pooled in both cases."""
    columns = {"label": ["abc"[i % 3] for i in range(96)], "score": [i % 5 / 4 for i in range(96)]}
    store = build_store(table(**columns), encoder, max_tokens=32, columns=inputs.columns(recipe.needs))
    width = 7 if recipe.distil else 12
    start = np.random.default_rng(0).normal(size=(96, width)).astype(np.float32)
    batch = Batches(store, encoder, recipe, **{"teacher" if recipe.distil else "start": start})[(0, ROWS)]
    module = Alignment(encoder, recipe, classes=3, teacher_dimension=width)
    hidden = encoder.hidden

    def rounded(*args, **options):  # what is left to differ is what follows the states
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            return hidden(*args, **options)

    encoder.hidden = rounded
    try:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            terms = module(**{name: value for name, value in batch.items() if name != "rows"})
        terms["loss"].backward()
    finally:
        del encoder.hidden
    gradients = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
    module.zero_grad()
    return terms, gradients


@pytest.mark.parametrize("parts", [
    {"distil": DistilOptions()}, {"softmax_nli": PlainOptions()}, {"cosent": GradedOptions(temperature=0.01)},
    {"cosine_mse": PlainOptions()}, {"angle": GradedOptions(temperature=0.01)},
    {"nt_xent": ContrastiveOptions(temperature=0.001), "anchor": AnchorOptions(source=1.0, distance="mse")},
], ids=lambda parts: next(iter(parts)))  # fmt: skip
def test_bfloat16_ends_at_the_pooling(encoder, parts):
    (rounded, ours), (exact, expected) = (step(encoder, Recipe(**parts), bf16=bf16) for bf16 in (True, False))
    for name, value in exact.items():
        assert rounded[name].dtype == torch.float32
        assert rounded[name].item() == pytest.approx(value.item(), rel=1e-6), name
    assert (ours - expected).norm() < 1e-5 * expected.norm()
    assert expected.norm() > 0


def test_a_bfloat16_run_keeps_float32_after_the_pooling(encoder, tmp_path):
    tail, block = set(), set()
    encoder.tail[0].register_forward_hook(lambda module, given, made: tail.add(made["sentence_embedding"].dtype))
    dense = encoder.model.bert.encoder.layer[0].output.dense
    dense.register_forward_hook(lambda module, given, made: block.add(made.dtype))
    options = TrainOptions(steps=1, batch_size=8, bf16=True)
    train(encoder, table(), Recipe(nt_xent=ContrastiveOptions(), train=options), tmp_path / "out", progress=False)
    assert torch.bfloat16 in block  # what is saved is run in float32, too
    assert tail == {torch.float32}


def test_an_encoder_in_bfloat16_has_its_tail_in_float32(encoder):
    exact = encoder.encode(words(), raw=True)
    fingerprint = encoder.fingerprint()
    encoder.in_bfloat16()
    assert {p.dtype for p in encoder.model.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in encoder.tail.parameters()} == {torch.float32}
    assert encoder.fingerprint() == fingerprint
    rounded = encoder.encode(words(), raw=True)
    assert len(np.unique(rounded.view(np.uint32) & 0xFFFF)) > 100  # bfloat16 has none of these bits
    assert np.abs(rounded - exact).max() < 0.5


def test_what_does_not_move_is_encoded_in_bfloat16_too(bert_folder, tmp_path, monkeypatch):
    seen, encode = [], stage.frozen_vectors

    def watched(*args, **how):
        seen.append(torch.is_autocast_enabled("cpu"))
        return encode(*args, **how)

    monkeypatch.setattr(stage, "frozen_vectors", watched)
    for bf16 in (False, True):
        options = TrainOptions(steps=2, batch_size=16, bf16=bf16)
        recipe = Recipe(info_nce=ContrastiveOptions(frozen=True), train=options)
        train(load_encoder(bert_folder), table(), recipe, tmp_path / str(bf16))
    assert seen == [False, True]
    assert not torch.is_autocast_enabled("cpu")  # left, or the weights of later steps would not be rounded anew


def test_an_autocast_around_training_is_refused(bert_folder, tmp_path):
    """It keeps the weights that it rounded in the first step, and every later step would read these."""
    recipe = Recipe(info_nce=ContrastiveOptions(), train=TrainOptions(steps=1, batch_size=4))
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(InputError, match="call it outside torch.autocast"):
        train(load_encoder(bert_folder), table(), recipe, tmp_path / "out")
    assert not (tmp_path / "out").exists()
