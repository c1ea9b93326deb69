from __future__ import annotations

import copy
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import tiny_bert
from torch import nn
from toy import quiet, table, words
from transformers import TrainerCallback

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.distillation.distil import DistilOptions
from align.objectives.mlm import MlmOptions
from align.objectives.objective import PlainOptions
from align.objectives.tlm import TlmOptions
from align.training import engine as engines
from align.training.engine import check_engine, engine, sparse_embeddings
from align.training.optimizer import AdamW, parameter_groups
from align.training.options import LoraOptions, TrainOptions
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.train import train

SETTINGS = {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}


def weights(seed=0, rows=5, width=3):
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def named(rows, values, size=5):
    """A sparse gradient as an embedding makes it: a row may come twice."""
    values, rows = torch.as_tensor(values), torch.tensor([rows], dtype=torch.int64)
    return torch.sparse_coo_tensor(rows, values, (size, values.shape[1]), check_invariants=True)


def by_definition(start, gradients, lr, betas, eps, weight_decay):
    """The same, one number at a time, in Python's floats."""
    p, m, v = start.double().tolist(), *(torch.zeros(start.shape).tolist() for _ in range(2))
    for t, gradient in enumerate(gradients, 1):
        read = sorted(set(gradient._indices()[0].tolist()))
        dense = gradient.to_dense().double().tolist()
        for r in read:
            for c, g in enumerate(dense[r]):
                m[r][c] = betas[0] * m[r][c] + (1 - betas[0]) * g
                v[r][c] = betas[1] * v[r][c] + (1 - betas[1]) * g * g
                step = (m[r][c] / (1 - betas[0] ** t)) / (math.sqrt(v[r][c] / (1 - betas[1] ** t)) + eps)
                p[r][c] = p[r][c] * (1 - lr * weight_decay) - lr * step
    return torch.tensor(p)


@pytest.mark.parametrize("fused", [True, False])
def test_rows_follow_the_definition_and_the_others_wait(fused):
    table = nn.Parameter(weights())
    chosen = [([0, 2, 2], 1), ([4], 2), ([2, 4], 3), ([0, 0, 0, 2], 4)]  # never 1 or 3
    gradients = [named(rows, weights(seed, len(rows))) for rows, seed in chosen]
    ours = AdamW([table], **SETTINGS, fused=fused)
    for gradient in gradients:
        table.grad = gradient
        ours.step()
        assert table.grad is gradient
    assert (table - by_definition(weights(), gradients, **SETTINGS)).abs().max() < 1e-6
    for value, start in ((table, weights()), (ours.state[table]["exp_avg"], torch.zeros(5, 3))):
        moved = (value != start).any(1)
        assert moved.tolist() == [True, False, True, False, True]


def test_one_row_by_hand():
    table = nn.Parameter(torch.tensor([[5.0], [3.0]]))
    ours = AdamW([table], lr=0.1, weight_decay=0.1, eps=0.0)
    table.grad = named([1], [[0.5]], 2)
    ours.step()
    assert table.flatten().tolist() == pytest.approx([5.0, 3 * 0.99 - 0.1])  # m / (1 - b1) = g, v / (1 - b2) = g^2
    table.grad = named([0], [[-7.0]], 2)
    ours.step()  # t = 2: m = -.7 over 1 - .9^2 = .19; v = .049 over 1 - .999^2 = .001999
    change = (-0.7 / 0.19) / math.sqrt(0.049 / 0.001999)
    assert change == pytest.approx(-0.74414, rel=1e-5)
    assert table.flatten().tolist() == pytest.approx([5 * 0.99 + 0.1 * 0.74414, 2.87])


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.5)])
def test_with_every_row_read_it_is_torchs(fused, betas):
    pairs = [[nn.Parameter(weights()), nn.Parameter(weights(9, 1, 4))] for _ in range(2)]
    settings = SETTINGS | {"betas": betas, "fused": fused}
    ours, theirs = AdamW(pairs[0], **settings), torch.optim.AdamW(pairs[1], **settings)
    for seed in range(1, 8):
        gradient, other = weights(seed), weights(seed + 10, 1, 4)
        pairs[0][0].grad, pairs[1][0].grad = named([3, 1, 4, 0, 2], gradient[[3, 1, 4, 0, 2]]), gradient.clone()
        pairs[0][1].grad, pairs[1][1].grad = other.clone(), other.clone()
        ours.step()
        theirs.step()
    assert (pairs[0][0] - pairs[1][0]).abs().max() < 1e-6
    assert torch.equal(pairs[0][1], pairs[1][1])
    assert (pairs[0][0] - weights()).abs().min() > 0.01


def test_a_saved_state_goes_on_exactly_and_in_torchs_own(tmp_path):
    def steps(table, chosen, seeds, sparse=True):
        for seed in seeds:
            gradient = named([0, 1, 2, 3, 4] if seed > 4 else [seed, 0], weights(seed, 5 if seed > 4 else 2))
            table.grad = gradient if sparse else gradient.to_dense()
            chosen.step()
        return table.detach().clone()

    table = nn.Parameter(weights())
    ours = AdamW([table], **SETTINGS, fused=True)
    half = steps(table, ours, (1, 2, 3))
    torch.save(ours.state_dict(), tmp_path / "state.pt")
    whole = steps(table, ours, (4, 5, 6))
    dense = steps(table, ours, (7,), sparse=False)  # the same state whichever way gradients come
    for kind in (AdamW, torch.optim.AdamW):
        again = nn.Parameter(half.clone())
        loaded = kind([again], lr=1.0, fused=True)
        loaded.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
        if kind is AdamW:
            assert torch.equal(steps(again, loaded, (4, 5, 6)), whole)
            assert torch.equal(steps(again, loaded, (7,), sparse=False), dense)
        else:
            kept = copy.deepcopy(ours)
            kept.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
            with torch.no_grad():
                kept.param_groups[0]["params"][0].copy_(half)
            expected = steps(kept.param_groups[0]["params"][0], kept, (5, 6))
            assert (steps(again, loaded, (5, 6), sparse=False) - expected).abs().max() < 1e-6


def test_the_closure_is_asked_and_what_has_no_gradient_stays():
    table, other = nn.Parameter(weights()), nn.Parameter(torch.ones(2))
    ours = AdamW([table, other], lr=0.1)

    def closure():
        loss = nn.functional.embedding(torch.tensor([1]), table, sparse=True).sum()
        loss.backward()
        return loss

    assert ours.step(closure).item() == pytest.approx(weights()[1].sum().item())
    assert other.tolist() == [1.0, 1.0]
    assert (table[1] != weights()[1]).all()
    table.grad = named([], torch.zeros(0, 3))
    before = table.detach().clone()
    ours.step()
    assert torch.equal(table, before)  # nothing read


@pytest.mark.parametrize("wrong", ["amsgrad", "maximize"])
def test_variants_of_adam_have_no_rows(wrong):
    table = nn.Parameter(weights())
    table.grad = named([1], [[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match="rows are updated without amsgrad and maximize"):
        AdamW([table], **{wrong: True}).step()


def test_gradients_are_of_the_rows_read():
    model = tiny_bert().base_model
    ids = torch.tensor([[2, 7, 7, 3]])
    gradients = []
    for on in (True, False, True):
        sparse_embeddings(model, on)
        model.zero_grad()
        model(ids).last_hidden_state[0, 1, :3].sum().backward()
        gradients.append(model.get_input_embeddings().weight.grad)
    assert [gradient.is_sparse for gradient in gradients] == [True, False, True]
    assert gradients[0]._nnz() == 4  # tokens, not pieces
    assert gradients[1].any(1).nonzero().flatten().tolist() == [2, 3, 7]
    assert torch.allclose(gradients[0].to_dense(), gradients[1], atol=1e-7)


def recipe(steps=6, objective=None, **options):
    options = {"batch_size": 8, "learning_rate": 1e-2, "warmup": 0.0, "sparse_embeddings": True} | options
    return Recipe(train=TrainOptions(steps=steps, **options), **(objective or {"nt_xent": ContrastiveOptions()}))


class Watch(TrainerCallback):
    """The optimiser of a run, and whether the table's gradient was sparse at each of its steps."""

    def __init__(self):
        self.sparse, self.optimizer = [], None

    def on_pre_optimizer_step(self, args, state, control, *, model, optimizer, **_):
        self.sparse.append(model.encoder.body.get_input_embeddings().weight.grad.is_sparse)
        self.optimizer = optimizer.optimizer


def run(folder, out, chosen, **options):
    encoder, watch = quiet(load_encoder(folder)), Watch()
    facts = train(encoder, table(), chosen, out, progress=False, callbacks=[watch], **options)
    return encoder, facts, watch


def test_a_run_moves_only_what_it_reads(bert_folder, tmp_path):
    start = load_encoder(bert_folder).body.get_input_embeddings().weight.detach().clone()
    found = {}
    for on in (True, False):
        chosen = recipe(sparse_embeddings=on, weight_decay=0.1, log_every=1)
        encoder, facts, watch = run(bert_folder, tmp_path / "out", chosen)
        embedding = encoder.body.get_input_embeddings()
        assert watch.sparse == [on] * 6
        assert not embedding.sparse  # the next stage decides for itself
        assert isinstance(watch.optimizer, AdamW) == on
        assert watch.optimizer.defaults["fused"]
        found[on] = (
            (embedding.weight != start).any(1), facts["losses"],
            [(len(g["params"]), g["weight_decay"]) for g in watch.optimizer.param_groups],
        )  # fmt: skip
    (sparse, losses, groups), (dense, expected, default) = found[True], found[False]
    assert groups == default
    assert {decay for _, decay in groups} == {0.1, 0.0}
    read = {piece for ids in encoder.tokenize([*table()["source"], *words()]) for piece in ids}
    assert set(sparse.nonzero().flatten().tolist()) == read
    assert len(read) < len(start) - 3
    assert dense.sum() > sparse.sum()  # decay reaches every row but that of padding
    assert losses[0] == pytest.approx(expected[0])  # gradient norm, too
    assert losses[-1]["loss"] == pytest.approx(expected[-1]["loss"], rel=0.1)


def test_resuming_with_rows_is_exact(bert_folder, tmp_path):
    chosen = recipe(8, save_every=4)
    whole, _, _ = run(bert_folder, tmp_path / "whole", chosen)
    shutil.copytree(tmp_path / "whole.checkpoints", tmp_path / "cut.checkpoints")
    shutil.rmtree(tmp_path / "cut.checkpoints" / "checkpoint-8")
    again, _, watch = run(bert_folder, tmp_path / "cut", chosen, resume=True)
    assert len(watch.sparse) == 4
    assert np.array_equal(again.encode(words()), whole.encode(words()))


def test_messages(bert_folder, monkeypatch):
    encoder = load_encoder(bert_folder)
    check_engine(encoder, recipe())
    check_engine(encoder, recipe(sparse_embeddings=False, objective={"mlm": MlmOptions()}))
    for name, options in (("mlm", MlmOptions()), ("tlm", TlmOptions())):
        with pytest.raises(InputError, match=f"but {name} trains a head of BertForMaskedLM whose weights are the word"):
            check_engine(encoder, recipe(objective={name: options}))
    untied = SimpleNamespace(weight=torch.ones(1))
    with monkeypatch.context() as patched:
        patched.setattr(encoder.model, "get_output_embeddings", lambda: untied)
        check_engine(encoder, recipe(objective={"mlm": MlmOptions()}))
    with pytest.raises(InputError, match=r"nothing to update: train.freeze_embeddings keeps the word embeddings"):
        check_engine(encoder, recipe(freeze_embeddings=True))
    with pytest.raises(InputError, match="nothing to update: lora keeps the word embeddings"):
        check_engine(encoder, recipe(objective={"nt_xent": ContrastiveOptions(), "lora": LoraOptions()}))
    monkeypatch.setattr(engines, "world", lambda: (1, 2))
    monkeypatch.setattr(engines, "backend", lambda device: "nccl" if device == encoder.device else "gloo")
    with pytest.raises(InputError, match="NCCL adds up no sparse gradients"):
        check_engine(encoder, recipe())
    encoder.body.set_input_embeddings(nn.Linear(2, 2))
    sparse_embeddings(encoder.model, False)
    with pytest.raises(InputError, match=r"needs a table of word embeddings .*; BertForMaskedLM has Linear"):
        sparse_embeddings(encoder.model, True)


def test_the_log_says_which(bert_folder):
    encoder = load_encoder(bert_folder)
    assert engine(encoder, recipe()).endswith(", fused AdamW, rows of the word embeddings only")
    assert engine(encoder, recipe(sparse_embeddings=False)).endswith(", fused AdamW")


def test_what_decays_and_what_has_its_own_rate(bert_folder):
    encoder = load_encoder(bert_folder)
    parts = {"info_nce": ContrastiveOptions(learn_temperature=True), "softmax_nli": PlainOptions()}
    chosen = recipe(objective=parts | {"distil": DistilOptions()}, weight_decay=0.1, temperature_rate=0.5)
    module = Alignment(encoder, chosen, classes=3, teacher_dimension=8)
    encoder.body.embeddings.position_embeddings.requires_grad_(False)
    named = {parameter: name for name, parameter in module.named_parameters()}
    groups = parameter_groups(module, chosen.train)
    matrices, vectors, temperatures = ([named[p] for p in group["params"]] for group in groups)
    assert {"learned.softmax_nli.weight", "learned.distil.weight"} < set(matrices)
    assert {"learned.softmax_nli.bias", "encoder.model.bert.embeddings.LayerNorm.weight"} < set(vectors)
    assert not any("bias" in name or "norm" in name.lower() for name in matrices)
    assert all("bias" in name or "norm" in name.lower() for name in vectors)
    assert temperatures == ["learned.info_nce.log_temperature"]
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0, 0.0]
    assert [group.get("lr") for group in groups] == [None, None, 0.5]
    moved = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    assert sorted(matrices + vectors + temperatures) == sorted(moved)
    assert len(parameter_groups(Alignment(encoder, recipe()), recipe().train)) == 2  # no temperature is learned


@pytest.mark.parametrize("sparse", [True, False])
def test_word_embeddings_with_a_rate_of_their_own(bert_folder, sparse):
    encoder = load_encoder(bert_folder)
    chosen = recipe(embedding_rate=0.25, weight_decay=0.1, sparse_embeddings=sparse)
    module = Alignment(encoder, chosen)
    embeddings = encoder.model.get_input_embeddings().weight
    *others, group = parameter_groups(module, chosen.train)
    assert [id(p) for p in group["params"]] == [id(embeddings)]
    assert (group["lr"], group["weight_decay"]) == (0.25, 0.1)
    counted = [id(p) for one in (*others, group) for p in one["params"]]
    assert len(set(counted)) == len(counted) == len([p for p in module.parameters() if p.requires_grad])
    embeddings.requires_grad_(False)
    assert len(parameter_groups(module, chosen.train)) == 2  # nothing of them moves


def test_the_rate_of_word_embeddings_is_what_moves_them(bert_folder, tmp_path):
    def moved(**options):
        encoder = load_encoder(bert_folder)
        weights = [encoder.model.get_input_embeddings().weight, encoder.body.encoder.layer[0].output.dense.weight]
        before = [weight.detach().clone() for weight in weights]
        chosen = recipe(steps=1, batch_size=8, warmup=0.0, schedule="constant", learning_rate=1e-3, **options)
        train(encoder, table(), chosen, tmp_path / "out")
        return [(weight - old).abs().max().item() for weight, old in zip(weights, before, strict=True)]

    assert moved() == pytest.approx([1e-3, 1e-3], rel=1e-2)  # of AdamW's first step
    assert moved(embedding_rate=0.05) == pytest.approx([0.05, 1e-3], rel=1e-2)
