from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from toy import greek, table, words
from transformers import TrainerCallback

from align.encoders.checkpoint import load_encoder
from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling
from align.objectives.anchor import AnchorOptions
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.distillation.distil import DistilOptions
from align.objectives.objective import PlainOptions
from align.objectives.registry import objective, objectives
from align.training.options import LoraOptions, TrainOptions
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.train import train

PARTS = {
    "nt_xent": ContrastiveOptions(learn_temperature=True), "info_nce": ContrastiveOptions(frozen=True, bank=8),
    "anchor": AnchorOptions(source=1.0, rehearsal=1.0, rehearsal_size=2),
}  # fmt: skip
"""Of the others the defaults."""


def recipe(name, seed=0, **parts):
    options = TrainOptions(steps=2, batch_size=8, learning_rate=1e-2, warmup=0.0, log_every=1, seed=seed)
    return Recipe(name=name, train=options, **(parts or {name: PARTS.get(name) or objective(name).options()}))


RECIPES = {name: recipe(name) for name in objectives()} | {
    "lora": recipe("lora", nt_xent=ContrastiveOptions(), softmax_nli=PlainOptions(), lora=LoraOptions(rank=2)),
    "stages": Recipe(stages=(recipe("softmax_nli"), recipe("distil"), recipe("mlm"))),
}


class Wider:
    """A teacher whose vectors have other dimensions: a projection is learned."""

    dimension = 24

    def encode(self, texts, **_):
        return np.array([[len(text) + (i * ord(text[0])) % 7 for i in range(24)] for text in texts], dtype=np.float32)


def run(folder, out, chosen, state):
    torch.manual_seed(state)  # what the caller drew before must not matter
    columns = {
        "negative": words(seed=1), "score": [i % 5 / 4 for i in range(96)], "label": ["abc"[i % 3] for i in range(96)],
        "class": ["xyz"[i % 3] * (i % 2) for i in range(96)],
    }  # fmt: skip
    if "switched_mlm" in chosen.objectives:  # the second letter is another one
        columns["source"] = [word[0] + other[1] + word[2:] for word, other in zip(words(), greek(words()), strict=True)]
    encoder = load_encoder(folder)
    torch.randn(state)
    teacher = Wider()
    if "feature_distil" in chosen.objectives:  # which reads its layers
        teacher = Encoder(tiny_bert(4, seed=1), tiny_tokenizer(), Pooling())
    facts = train(encoder, table(**columns), chosen, out, teacher=teacher, rehearsal=words(4, seed=2), progress=False)
    losses = [[row["loss"] for row in stage["losses"]] for stage in facts.get("stages", [facts])]
    return encoder.encode(words() + greek(words())), losses


@pytest.mark.parametrize("name", RECIPES)
def test_one_seed_gives_one_result_to_the_last_bit(bert_folder, tmp_path, name):
    (first, losses), (second, again) = (run(bert_folder, tmp_path / "out", RECIPES[name], state) for state in (3, 4))
    assert np.array_equal(first, second)
    assert losses == again
    assert np.abs(first - load_encoder(bert_folder).encode(words() + greek(words()))).max() > 1e-3


def test_new_weights_are_drawn_from_the_seed_and_leave_the_generator_alone(bert_folder):
    encoder = load_encoder(bert_folder)
    torch.manual_seed(5)
    expected = torch.rand(1)
    made = []
    for state, seed in ((5, 0), (6, 0), (5, 1)):
        torch.manual_seed(state)
        chosen = recipe("both", seed, softmax_nli=PlainOptions(), distil=DistilOptions())
        module = Alignment(encoder, chosen, classes=3, teacher_dimension=24)
        made.append([p for name, p in module.named_parameters() if name.startswith("learned.")])
        if state == 5:
            assert torch.equal(torch.rand(1), expected)
    for first, same, other in zip(*made, strict=True):
        assert torch.equal(first, same)
        assert not torch.equal(first, other)


def test_dropout_follows_the_seed(bert_folder, tmp_path):
    drawn = []

    class Draw(TrainerCallback):
        def on_train_begin(self, *_, **__):
            with torch.random.fork_rng(devices=[]):
                drawn.append(torch.rand(()).item())

    for seed in (0, 0, 1):
        train(
            load_encoder(bert_folder), table(), recipe("nt_xent", seed), tmp_path / "out", callbacks=[Draw()],
            progress=False,
        )  # fmt: skip
    assert drawn[0] == drawn[1] != drawn[2]
