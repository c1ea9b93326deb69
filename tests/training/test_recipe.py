"""Every option refuses what could only fail, or do nothing, before a step runs."""

from __future__ import annotations

import dataclasses
import math
import typing

import numpy as np
import pytest
import torch
from conftest import tiny_tokenizer
from toy import N, quiet, table, words
from transformers import BertConfig, BertForMaskedLM

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.anchor import AnchorOptions
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.graded import GradedOptions
from align.objectives.mlm import MlmOptions
from align.objectives.objective import PlainOptions
from align.objectives.tlm import TlmOptions
from align.training.config import load_recipe, sections
from align.training.options import MatryoshkaOptions, TrainOptions
from align.training.recipe import Recipe
from align.training.train import train

KINDS = sections()
WRONG = {
    int: (2.0, 2.5, True, "2", -1, math.nan),
    float: (math.nan, math.inf, -math.inf, True, "1", 10**400),
    bool: (1, 0, "true"),
    str: ("no such word", 1, True),
}
FREE = {("lora", "targets"), ("sparse_contrastive", "pivot"), ("train", "trainable")}  # a model says what it has
OPTIONS = [
    (section, field, kind)
    for section in KINDS
    for field, hint in typing.get_type_hints(KINDS[section]).items()
    for kind in (next((k for k in (*typing.get_args(hint), hint) if k in WRONG), None),)
    if (section, field) not in FREE
]


@pytest.mark.parametrize(("section", "field", "kind"), OPTIONS)
def test_every_option_refuses_values_of_no_sense_by_its_name(section, field, kind):
    assert kind in WRONG
    for value in WRONG[kind]:
        many = typing.get_origin(typing.get_type_hints(KINDS[section])[field]) is tuple
        with pytest.raises(InputError) as caught:
            options = KINDS[section](**{field: (value,) if many else value})
            Recipe(**{"cosent": GradedOptions(), section: options})
        assert f"{section}.{field}" in str(caught.value)
        assert "got" in str(caught.value)


def test_the_defaults_of_every_section_are_accepted():
    for section in KINDS:
        given = {"anchor": AnchorOptions(source=1.0), "matryoshka": MatryoshkaOptions(dimensions=(4,))}
        Recipe(**{"cosent": GradedOptions(), section: given.get(section, KINDS[section]())})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("nt_xent.weight=-1", "recipe translico: nt_xent.weight must be at least 0, got -1.0"),
        ("nt_xent.weight=nan", "nt_xent.weight must be at least 0, got nan"),
        ("mlm.weight=inf", "mlm.weight must be finite, got inf"),
        ("train.weight_decay=-0.1", "train.weight_decay must be at least 0, got -0.1"),
        ("train.save_every=-1", "train.save_every must be at least 0, got -1"),
        ("train.evaluate_every=-1", "train.evaluate_every must be at least 0, got -1"),
        ("train.seed=-1", "train.seed must be in 0..4294967295, got -1"),
        ("train.seed=4294967296", "train.seed must be in 0..4294967295, got 4294967296"),
        ("train.learning_rate=inf", "train.learning_rate must be finite, got inf"),
        ("train.learning_rate=1" + "0" * 400, "train.learning_rate must be"),
        ("encoder.layer=-1", "encoder.layer must be at least 0, got -1"),
        ("encoder.pooling=max", "encoder.pooling must be mean, cls or weighted, got 'max'"),
        ("anchor={source=1, target=-1}", "anchor.target must be at least 0, got -1.0"),
        ("train.steps=3.0", "train.steps must be int, got 3.0"),
    ],
)
def test_a_setting_is_refused_by_name(change, sentence):
    with pytest.raises(InputError) as caught:
        load_recipe("translico", changes=[change])
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"cosent": GradedOptions(weight=0.0)}, r"trains nothing: expected one weight above 0, .*'cosent.weight': 0"),
        ({"tlm": TlmOptions(), "train": TrainOptions(max_tokens=2)}, "train.max_tokens must be at least 3, got 2"),
        (
            {"angle": GradedOptions(), "matryoshka": MatryoshkaOptions(dimensions=(4, 7))},
            r"matryoshka.dimensions must be even, got \[7\]",
        ),
        (
            {"cosent": GradedOptions(), "matryoshka": MatryoshkaOptions(dimensions=(4,), weights=(0.0,))},
            r"matryoshka.weights must have one above 0, got \[0.0\]",
        ),
        ({"mlm": MlmOptions(), "matryoshka": MatryoshkaOptions(dimensions=(4,))}, r"must have one of these, got"),
        ({"nt_xent": GradedOptions()}, "nt_xent must be table, got Graded"),
        ({"cosent": GradedOptions(), "pairs": "nli"}, "pairs must be a list, got 'nli'"),
        ({"name": "../a", "cosent": GradedOptions()}, "must be of letters"),
        ({"name": "train", "cosent": GradedOptions()}, "neither encoder nor train"),
        ({"name": "a", "cosent": GradedOptions(), "train": TrainOptions(seed=-1)}, "the stage 'a': train.seed must be"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(parts, sentence):
    with pytest.raises(InputError, match=sentence):
        Recipe(stages=(Recipe(**parts),)) if "name" in parts else Recipe(**parts)


def test_a_recipe_with_stages_has_everything_inside_them(tmp_path):
    (tmp_path / "mine.toml").write_text('[train]\nsteps = 3\n[[stages]]\nname = "a"\n[stages.cosent]\n')
    with pytest.raises(InputError, match=r"mine.toml: a recipe with stages has its \[train\] inside them"):
        load_recipe(tmp_path / "mine.toml")
    (tmp_path / "mine.toml").write_text('pairs = ["a"]\n[[stages]]\nname = "a"\n[stages.cosent]\n')
    with pytest.raises(InputError, match=r"a recipe with stages has its pairs inside them, got \['a'\]"):
        load_recipe(tmp_path / "mine.toml")


def odd_encoder(folder):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=56, hidden_size=15, num_hidden_layers=1, num_attention_heads=3, intermediate_size=8, pad_token_id=0
    )
    BertForMaskedLM(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return load_encoder(folder)


def test_what_an_encoder_cannot_do_is_refused_before_a_step(bert_folder, tmp_path):
    def refused(encoder, recipe, sentence):
        before = encoder.encode(words())
        with pytest.raises(InputError, match=sentence):
            train(encoder, table(score=[i % 5 / 4 for i in range(N)]), recipe, tmp_path / "out", progress=False)
        assert not (tmp_path / "out").exists()
        assert np.array_equal(encoder.encode(words()), before)

    refused(odd_encoder(tmp_path / "odd"), Recipe(angle=GradedOptions()), "of even width; the encoder's is 15")
    for short in (1, 2):  # <s> and </s> only, or no limit at all
        recipe = Recipe(nt_xent=ContrastiveOptions(), train=TrainOptions(max_tokens=short))
        refused(load_encoder(bert_folder), recipe, f"train.max_tokens is {short}; a piece of text, .* need 3")


def test_a_term_of_weight_0_is_reported_and_not_trained(bert_folder, tmp_path):
    def run(**parts):
        encoder = quiet(load_encoder(bert_folder))
        options = TrainOptions(steps=4, batch_size=16, learning_rate=1e-2, log_every=1, weight_decay=0.1)
        labels = [["ab", "cd"][i % 2] for i in range(N)]
        recipe = Recipe(nt_xent=ContrastiveOptions(), train=options, **parts)
        pairs = table(label=labels, score=[i % 5 / 4 for i in range(N)])
        return encoder, train(encoder, pairs, recipe, tmp_path / "out", progress=False)

    alone, facts = run()
    both, more = run(
        cosent=GradedOptions(weight=0.0), softmax_nli=PlainOptions(weight=0.0),
        info_nce=ContrastiveOptions(weight=0.0, learn_temperature=True), tlm=TlmOptions(weight=0.0),
    )  # fmt: skip
    assert more["trainable_parameters"] == facts["trainable_parameters"]
    for name, value in alone.state_dict().items():
        assert torch.equal(value, both.state_dict()[name]), name
    for row in more["losses"]:
        assert row["loss"] == row["nt_xent"]
        assert min(row["cosent"], row["softmax_nli"], row["info_nce"], row["tlm"]) > 0


def test_options_are_checked_again_when_they_change():
    recipe = Recipe(cosent=GradedOptions())
    with pytest.raises(InputError, match=r"train.interpolate must be in 0..1, got nan"):
        dataclasses.replace(recipe, train=TrainOptions(interpolate=math.nan))
