"""Training of bottleneck adapters alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy import table, words

from align.encoders.adapters.bottleneck import bottlenecks
from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.mlm import MlmOptions
from align.training.config import load_recipe
from align.training.options import BottleneckOptions, LoraOptions, TrainOptions
from align.training.recipe import Recipe
from align.training.train import train


def recipe(*, steps=6, name="", train=None, **parts):
    options = {"steps": steps, "batch_size": 16, "learning_rate": 1e-2, "warmup": 0.0} | (train or {})
    parts = {"bottleneck": BottleneckOptions(reduction=4), "nt_xent": ContrastiveOptions()} | parts
    return Recipe(train=TrainOptions(**options), name=name, **parts)


def run(encoder, out, chosen=None, **options):
    return train(encoder, table(), chosen or recipe(), out, progress=False, **options)


def test_only_the_adapters_move_and_the_folder_has_them(bert_folder, tmp_path):
    encoder, start = load_encoder(bert_folder), load_encoder(bert_folder)
    facts = run(encoder, tmp_path / "out", recipe(steps=60, train={"log_every": 1}))
    width, size = encoder.body.config.hidden_size, encoder.body.config.hidden_size // 4
    assert facts["trainable_parameters"] == 2 * (2 * width + width * size + size + size * width + width)
    old = dict(start.named_parameters())
    assert all(torch.equal(old[name], value) for name, value in encoder.named_parameters() if name in old)
    assert all(p.requires_grad for p in encoder.parameters())
    again = load_encoder(tmp_path / "out")
    assert np.array_equal(again.encode(words()), encoder.encode(words()))
    first, *_, last = (line["loss"] for line in facts["losses"])
    assert last < 0.8 * first


@pytest.mark.parametrize(("layer", "freeze", "mlm", "expected"), [
    (1, 0, None, [0]), (2, 1, None, [1]), (1, 0, MlmOptions(), [0, 1]),
])  # fmt: skip
def test_adapters_are_on_the_blocks_that_are_trained(bert_folder, tmp_path, layer, freeze, mlm, expected):
    encoder = load_encoder(bert_folder, layer=layer)
    run(encoder, tmp_path / "out", recipe(steps=1, mlm=mlm, train={"freeze_blocks": freeze}))
    assert sorted(bottlenecks(load_encoder(tmp_path / "out").model)) == expected


def test_a_second_run_goes_on_with_them(bert_folder, tmp_path):
    run(load_encoder(bert_folder), tmp_path / "one")
    encoder = load_encoder(tmp_path / "one")
    run(encoder, tmp_path / "two")
    first, second = (bottlenecks(load_encoder(tmp_path / name).model) for name in ("one", "two"))
    assert len(second[0].each) == 1
    assert not torch.equal(first[0].each[0].up.weight, second[0].each[0].up.weight)


def test_resume_is_exact(bert_folder, tmp_path):
    chosen = recipe(steps=8, train={"save_every": 4})
    run(load_encoder(bert_folder), tmp_path / "whole", chosen)

    class Stop(Exception):
        pass

    from transformers import TrainerCallback

    class Stopped(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == 6:
                raise Stop

    with pytest.raises(Stop):
        run(load_encoder(bert_folder), tmp_path / "parts", chosen, callbacks=[Stopped()])
    run(load_encoder(bert_folder), tmp_path / "parts", chosen, resume=True)
    whole, parts = (load_encoder(tmp_path / name).encode(words()) for name in ("whole", "parts"))
    assert np.array_equal(whole, parts)


def test_stages_share_the_adapters(bert_folder, tmp_path):
    stages = Recipe(stages=(
        recipe(name="one", train={"save_every": 3}), recipe(name="two", train={"save_every": 3}),
    ))  # fmt: skip
    facts = run(load_encoder(bert_folder), tmp_path / "out", stages)
    one, two = facts["stages"]
    assert one["trainable_parameters"] == two["trainable_parameters"]
    assert len(bottlenecks(load_encoder(tmp_path / "out").model)[0].each) == 1


def test_what_cannot_be_trained(bert_folder, tmp_path):
    with pytest.raises(InputError, match="one kind of adapter is trained: lora or bottleneck"):
        recipe(lora=LoraOptions())
    with pytest.raises(InputError, match="bottleneck has no block to adapt: 2 are used, the lowest 2 frozen"):
        run(load_encoder(bert_folder), tmp_path / "out", recipe(train={"freeze_blocks": 2}))
    with pytest.raises(InputError, match="reduction divides the width of the states, 16; got 500"):
        run(load_encoder(bert_folder), tmp_path / "out", recipe(bottleneck=BottleneckOptions(reduction=500)))
    assert not (tmp_path / "out").exists()
    assert load_recipe("knowledge", changes=["bottleneck.reduction=8"]).bottleneck.reduction == 8
