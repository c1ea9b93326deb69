from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from toy import table
from transformers import TrainerCallback

from align.encoders.checkpoint import load_encoder
from align.objectives.contrastive import ContrastiveOptions
from align.training.callbacks import TrainingStopped
from align.training.optimizer import clip_gradients, gradient_norm, not_finite
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.train import train
from align.training.trainer import AlignTrainer


def parameters():
    """A table whose row 2 is read twice, a matrix, and one without a gradient."""
    found = {"table": nn.Parameter(torch.ones(4, 2)), "matrix": nn.Parameter(torch.ones(2, 2))}
    nn.functional.embedding(torch.tensor([2, 0, 2]), found["table"], sparse=True).sum().backward()
    (found["matrix"] * torch.tensor([[3.0, 0.0], [0.0, 4.0]])).sum().backward()
    return found | {"still": nn.Parameter(torch.ones(3))}


def test_by_hand():
    given = parameters()
    norm = gradient_norm(given.values())
    assert norm.item() == pytest.approx(math.sqrt(1 + 1 + 4 + 4 + 9 + 16))  # row 0 once, row 2 twice, matrix
    assert given["table"].grad.is_sparse
    assert given["table"].grad.is_coalesced()
    clip_gradients(given.values(), norm, limit=2.0)
    factor = 2 / (math.sqrt(35) + 1e-6)
    assert given["matrix"].grad.flatten().tolist() == pytest.approx([3 * factor, 0, 0, 4 * factor])
    assert given["table"].grad.to_dense()[:, 0].tolist() == pytest.approx([factor, 0, 2 * factor, 0])
    assert gradient_norm(given.values()).item() == pytest.approx(2.0)
    assert given["still"].grad is None


@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_it_is_torchs_where_all_is_dense(limit):
    given, same = parameters(), parameters()
    for found in (given, same):
        found["table"].grad = found["table"].grad.to_dense()
    expected = nn.utils.clip_grad_norm_(same.values(), limit)
    norm = gradient_norm(given.values())
    clip_gradients(given.values(), norm, limit=limit)
    assert torch.equal(norm, expected)
    assert all(torch.equal(given[name].grad, same[name].grad) for name in ("table", "matrix"))


def test_nothing_to_clip():
    alone = [nn.Parameter(torch.ones(2))]
    norm = gradient_norm(alone)
    assert norm.item() == 0.0
    clip_gradients(alone, norm, limit=1.0)
    assert alone[0].grad is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_first_bad_gradient_is_named(bad):
    given = parameters()
    gradient_norm(given.values())
    assert not_finite(given.items()) is None
    given["matrix"].grad[1, 0] = bad
    assert not_finite(given.items()) == "matrix"
    given["table"].grad.values()[1, 1] = bad
    assert not_finite(given.items()) == "table"
    assert not gradient_norm(given.values()).isfinite()


class Length(TrainerCallback):
    """The length of the gradient that each step is taken with."""

    def __init__(self):
        self.seen = []

    def on_pre_optimizer_step(self, args, state, control, *, model, **_):
        self.seen.append(gradient_norm(model.parameters()).item())


def run(encoder, out, *callbacks, weight=1.0, **options):
    options = {"steps": 2, "batch_size": 8, "log_every": 1, "learning_rate": 1e-3, **options}
    recipe = Recipe(train=TrainOptions(**options), nt_xent=ContrastiveOptions(weight=weight))
    return train(encoder, table(), recipe, out, progress=False, callbacks=callbacks)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_run_clips_to_one_and_logs_the_length_before(bert_folder, tmp_path, sparse):
    for weight, clipped in ((10.0, True), (1e-3, False)):
        length = Length()
        facts = run(load_encoder(bert_folder), tmp_path / "out", length, weight=weight, sparse_embeddings=sparse)
        before = [row["grad_norm"] for row in facts["losses"]]
        assert all(norm > 1 for norm in before) == clipped
        assert length.seen == pytest.approx([1.0, 1.0] if clipped else before, rel=1e-5)


def test_a_bad_row_of_the_table_stops_the_run(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    encoder.body.get_input_embeddings().weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(TrainingStopped, match=r"step 1: the gradient of .*word_embeddings.weight is not finite"):
        run(encoder, tmp_path / "out", sparse_embeddings=True)
    assert not encoder.body.get_input_embeddings().sparse


def test_a_sum_too_large_for_its_numbers_stops_the_run(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    for parameter in encoder.parameters():
        parameter.register_hook(lambda gradient: torch.full_like(gradient, 1e25))
    with pytest.raises(TrainingStopped, match="step 1: the gradient of all parameters together is not finite"):
        run(encoder, tmp_path / "out")


def test_a_bad_loss_of_any_pass_stops_the_step(bert_folder, tmp_path):
    encoder, calls = load_encoder(bert_folder), []

    def spoil(module, inputs, output):
        calls.append(1)
        return output * math.nan if len(calls) == 3 else output

    before = {name: p.clone() for name, p in encoder.named_parameters()}
    encoder.body.get_input_embeddings().register_forward_hook(spoil)
    with pytest.raises(TrainingStopped, match=r"step 1: nt_xent nan, loss nan; pairs \[.*checkpoints in .* are good"):
        run(encoder, tmp_path / "out", accumulate=4, attention="padded")
    assert len(calls) == 4
    assert all(torch.equal(p, before[name]) for name, p in encoder.named_parameters())


def test_an_infinite_loss_with_a_finite_gradient_stops_the_run(bert_folder, tmp_path, monkeypatch):
    forward = Alignment.forward

    def raised(self, *args, **kwargs):
        terms = forward(self, *args, **kwargs)
        return terms | {"loss": terms["loss"] + math.inf}

    monkeypatch.setattr(Alignment, "forward", raised)
    with pytest.raises(TrainingStopped, match=r"step 1: nt_xent \d.*, loss inf; pairs \["):
        run(load_encoder(bert_folder), tmp_path / "out")


def test_each_step_checks_its_own_losses_only(bert_folder, tmp_path, monkeypatch):
    seen, clip = [], AlignTrainer._clip_grad_norm

    def counted(self, model):
        seen.append(len(self._unchecked))
        return clip(self, model)

    monkeypatch.setattr(AlignTrainer, "_clip_grad_norm", counted)
    run(load_encoder(bert_folder), tmp_path / "out", accumulate=3)
    assert seen == [3, 3]
