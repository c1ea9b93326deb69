from __future__ import annotations

import os
import shutil

import pytest
import torch
from torch import nn
from toy import quiet, table
from transformers import TrainerCallback

from align.encoders.blocks import blocks
from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.contrastive import ContrastiveOptions
from align.training.engine import check_engine, compile_blocks, eager_blocks
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.train import train


def batch(*lengths):
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.int64)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.arange(5, 5 + length) + row
    return ids, (ids > 0).long()


BATCHES = [batch(*range(3, 4 + n), 3) for n in range(5)]  # 1 to 5 different lengths


def vectors_and_gradients(encoder):
    found = []
    for ids, attention in BATCHES:
        encoder.zero_grad()
        vectors = encoder(ids, attention, raw=True)
        (vectors * torch.arange(1.0, 17.0)).square().mean().backward()
        found += [vectors.detach(), *(p.grad.clone() for p in encoder.body.parameters() if p.grad is not None)]
    return found


def compiled(encoder):
    return [block._compiled_call_impl is not None for block in blocks(encoder.model)]


@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "g++")), reason="torch.compile found no C++ compiler")
@pytest.mark.filterwarnings("ignore")  # of what torch does while it compiles
def test_compiled_blocks_give_the_same_at_any_size_and_are_gone_after(bert_folder):
    from torch._dynamo.utils import counters
    from torch._inductor import config

    encoder = quiet(load_encoder(bert_folder, layer=1)).train()
    names, expected = list(encoder.state_dict()), vectors_and_gradients(encoder)
    torch.compiler.reset()
    counters.clear()
    compile_blocks(encoder.model, True)
    with config.patch(compile_threads=1):  # starting others takes longer
        found = vectors_and_gradients(encoder)
        graphs = counters["stats"]["unique_graphs"]
        assert vectors_and_gradients(encoder)[0] is not None
    assert len(found) == len(expected) > 4 * 16
    for value, eager in zip(found, expected, strict=True):
        assert (value - eager).abs().max() < 1e-5 * max(1.0, eager.abs().max())
    assert counters["stats"]["unique_graphs"] == graphs > 0  # nothing is compiled twice
    assert graphs < 6  # nor once for each batch
    assert list(encoder.state_dict()) == names
    with eager_blocks(encoder.model):
        assert compiled(encoder) == [False, False]
    assert compiled(encoder) == [True, True]
    compile_blocks(encoder.model, False)
    assert compiled(encoder) == [False, False]
    torch.compiler.reset()


def test_a_run_compiles_the_blocks_and_no_evaluation(bert_folder, tmp_path, monkeypatch):
    asked, in_training, in_evaluation = [], [], []

    def compile_block(block, **options):
        asked.append(options)
        block._compiled_call_impl = block._call_impl

    class Watch(TrainerCallback):
        def on_step_end(self, args, state, control, *, model, **_):
            in_training.append(compiled(model.encoder))

    def evaluator(encoder):
        in_evaluation.append(compiled(encoder))
        return {"score": 0.5}

    monkeypatch.setattr(nn.Module, "compile", compile_block)
    for choice in (False, True):
        encoder = load_encoder(bert_folder)
        options = TrainOptions(steps=3, batch_size=8, compile=choice, evaluate_every=2)
        train(
            encoder, table(), Recipe(train=options, nt_xent=ContrastiveOptions()), tmp_path / "out", progress=False,
            callbacks=[Watch()], evaluators={"dev": evaluator},
        )  # fmt: skip
        assert compiled(encoder) == [False, False]
    assert asked == [{"dynamic": True}] * 2
    assert in_training == [[False, False]] * 3 + [[True, True]] * 3
    assert in_evaluation == [[False, False]] * 4


def test_recomputed_activations_are_refused(bert_folder):
    def check(**options):
        check_engine(load_encoder(bert_folder), Recipe(info_nce=ContrastiveOptions(), train=TrainOptions(**options)))

    check(compile=True)
    check(gradient_checkpointing=True)
    with pytest.raises(InputError, match=r"train.compile and train.gradient_checkpointing exclude each other"):
        check(compile=True, gradient_checkpointing=True)
