"""Training a mixture of adapters, and stages that train named weights alone."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from toy import table, words
from transformers import TrainerCallback

from align.encoders.checkpoint import load_encoder
from align.encoders.mixture.layers import mixture_of
from align.errors import InputError
from align.objectives.contrastive import ContrastiveOptions
from align.training.callbacks import TrainingStopped
from align.training.options import LoraOptions, TrainOptions
from align.training.recipe import Recipe
from align.training.train import train
from align.training.trainable import check_frozen, frozen_hashes

MIXTURE = LoraOptions(rank=2, experts=3, top=2, balance=0.5)


def recipe(lora=None, name="", **options):
    options = {"steps": 4, "batch_size": 16, "learning_rate": 1e-2, "warmup": 0.0, "log_every": 1} | options
    return Recipe(name=name, nt_xent=ContrastiveOptions(), lora=lora, train=TrainOptions(**options))


def run(folder, out, chosen, **options):
    encoder = load_encoder(folder)
    return encoder, train(encoder, table(), chosen, out, progress=False, **options)


def moved(folder, encoder):
    start = dict(load_encoder(folder).named_parameters())
    return {name for name, p in encoder.named_parameters() if name in start and not torch.equal(p, start[name])}


def test_a_mixture_is_trained_saved_and_told(bert_folder, tmp_path):
    encoder, facts = run(bert_folder, tmp_path / "out", recipe(MIXTURE))
    assert facts["trainable_parameters"] == 4 * 3 * 2 * (16 + 16) + 3 * 16
    assert facts["losses"][0]["load_balance"] > 0.9
    line = facts["losses"][-1]
    assert line["loss"] == pytest.approx(line["nt_xent"] + 0.5 * line["load_balance"], rel=1e-5)
    assert moved(bert_folder, encoder) == set()  # the adapted W are called base.weight, and are frozen
    learnt = {name: p for name, p in encoder.named_parameters() if "lora_" in name}
    assert len(learnt) == 9 and all(p.abs().sum() > 0 for p in learnt.values())
    again = load_encoder(tmp_path / "out")
    assert np.array_equal(again.encode(words()), encoder.encode(words()))
    plain = load_encoder(tmp_path / "out" / "base")
    assert np.array_equal(plain.encode(words()), load_encoder(bert_folder).encode(words()))
    card = (tmp_path / "out" / "README.md").read_text()
    assert "Mixture of 3 adapters: the entropy" in card and 'align.load_encoder("this-folder")' in card
    routing = json.loads((tmp_path / "out" / "align.json").read_text())["summary"]["routing"]
    assert routing["languages"].keys() == {"ell_Grek", "ell_Latn"} and 0.5 <= routing["purity"] <= 1
    with pytest.raises(InputError, match="cannot be merged: give training an encoder without"):
        train(again, table(), recipe(), tmp_path / "next", progress=False)


def test_a_mixture_goes_on_from_its_checkpoint(bert_folder, tmp_path):
    whole, facts = run(bert_folder, tmp_path / "whole", recipe(MIXTURE, save_every=2))
    shutil.copytree(tmp_path / "whole.checkpoints", tmp_path / "cut.checkpoints")
    shutil.rmtree(tmp_path / "cut.checkpoints" / "checkpoint-4")
    cut, again = run(bert_folder, tmp_path / "cut", recipe(MIXTURE, save_every=2), resume=True)
    assert again["losses"][-1] == facts["losses"][-1]
    assert np.array_equal(cut.encode(words()), whole.encode(words()))


def test_word_embeddings_then_the_rest_then_a_mixture(bert_folder, tmp_path):
    """The plan of MT4CrossOIE."""
    stages = (
        recipe(name="words", trainable=("word_embeddings",)),
        recipe(name="rest", trainable=(r"^(?!.*word_embeddings)",)),
        recipe(MIXTURE, name="mixture"),
    )
    encoder, facts = run(bert_folder, tmp_path / "out", Recipe(stages=stages))
    first, second, third = (stage["trainable_parameters"] for stage in facts["stages"])
    table_size = encoder.body.get_input_embeddings().weight.numel()
    assert first == table_size and third == 4 * 3 * 2 * (16 + 16) + 3 * 16 and second > 5 * third
    assert mixture_of(encoder.body) is not None and "routing" in facts["stages"][2]
    with pytest.raises(InputError, match=r"a mixture \(lora.experts\) cannot be merged: only the last stage"):
        Recipe(stages=stages[::-1])


def test_only_what_is_named_moves(bert_folder, tmp_path):
    encoder, _ = run(bert_folder, tmp_path / "out", recipe(trainable=(r"layer\.1\..*(query|value)\.weight",)))
    assert moved(bert_folder, encoder) == {
        f"model.bert.encoder.layer.1.attention.self.{name}.weight" for name in ("query", "value")
    }


@pytest.mark.parametrize("pattern, message", [
    ("word_embedings", "'word_embedings' is in the name of nothing that this stage may train: bert.embeddings"),
    ("(", r"train.trainable: '\(' is no regular expression"),
    ("predictions", "'predictions' is in the name of nothing"),  # of a head that nothing reads
])  # fmt: skip
def test_a_pattern_that_finds_nothing_is_refused(bert_folder, tmp_path, pattern, message):
    with pytest.raises(InputError, match=message):
        run(bert_folder, tmp_path / "out", recipe(trainable=(pattern,)))


class Meddles(TrainerCallback):
    """Changes a bit of what is frozen."""

    def on_step_end(self, args, state, control, *, model, **_):
        with torch.no_grad():
            model.encoder.body.embeddings.word_embeddings.weight[3, 0] *= 1 + 2**-20


def test_a_frozen_weight_that_moves_stops_the_run(bert_folder, tmp_path):
    with pytest.raises(
        TrainingStopped, match="word_embeddings.weight was to stay as it was in this stage, and has changed"
    ):
        run(bert_folder, tmp_path / "out", recipe(freeze_embeddings=True), callbacks=[Meddles()])
    assert not (tmp_path / "out").exists()


def test_frozen_is_to_the_last_bit(bert_folder):
    encoder = load_encoder(bert_folder).requires_grad_(False)
    before = frozen_hashes(encoder)
    check_frozen(encoder, before)
    weight = encoder.body.embeddings.word_embeddings.weight
    weight[0, 0] = 0.0
    zero = frozen_hashes(encoder)
    weight[0, 0] = -0.0  # equal as a number, not as bits
    with pytest.raises(TrainingStopped):
        check_frozen(encoder, zero)


@pytest.mark.parametrize("lora, options, message", [
    ({"dora": True}, {}, r"a mixture \(lora.experts\) has no lora.dora"),
    ({"dropout": 0.1}, {}, "has no lora.dropout"),
    ({"top": 4}, {}, "lora.top is of the 3 adapters of lora.experts, got 4"),
    ({}, {"micro_tokens": 8}, "train.micro_tokens runs a batch in parts or again"),
    ({}, {"gradient_checkpointing": True}, "train.gradient_checkpointing runs a batch in parts or again"),
])  # fmt: skip
def test_what_a_mixture_cannot_have(lora, options, message):
    with pytest.raises(InputError, match=message):
        recipe(LoraOptions(**{"experts": 3, "rank": 2} | lora), **options)
