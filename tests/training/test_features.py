"""Features: token by token where the teacher reads the same pieces, else pooled; and what a run makes of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from toy import quiet, table
from transformers import BertConfig, BertModel

from align.encoders.checkpoint import load_encoder
from align.encoders.encoder import Encoder
from align.encoders.pooling import Pooling
from align.encoders.trimming import with_layers
from align.errors import InputError
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.distillation.feature_distil import FeatureDistilOptions
from align.training.batches import Batches
from align.training.config import load_recipe
from align.training.features import features, layer_vectors, same_pieces, teacher_layers
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.store import build_store
from align.training.train import train

ROWS = np.array([4, 0, 7])


def deep(layers=4, **options):
    return quiet(Encoder(tiny_bert(layers, seed=3), tiny_tokenizer(), Pooling(), **options))


def wide():
    """A teacher of other pieces and width."""
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["abc"])
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(tokenizer) + 1, hidden_size=24, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8
    )
    return quiet(Encoder(BertModel(config, add_pooling_layer=False).eval(), tokenizer, Pooling(), prompt="q"))


def batch_of(student):
    recipe = Recipe(feature_distil=FeatureDistilOptions())
    return Batches(build_store(table(), student, max_tokens=32), student, recipe)[0, ROWS]


def hidden(encoder, text):
    ids = torch.tensor([encoder.tokenizer(encoder.prompt + text)["input_ids"]])
    with torch.no_grad():
        return [state[0] for state in encoder.body(ids, output_hidden_states=True).hidden_states]


def shown():
    return [table()[side][row] for side in ("source", "target") for row in ROWS]


@pytest.mark.parametrize("attention", ["auto", "padded"])
def test_tokens_of_both_sides_at_the_layers_that_stand_for_each_other(attention):
    teacher = deep()
    student = with_layers(teacher, 2)[0]
    student.prompt, student.attention, teacher.attention = "ab", attention, attention
    batch = batch_of(student)
    assert "ids" not in batch and same_pieces(student, teacher)  # the prompt is the student's
    teacher.train()
    read = features(student, batch["features"], teacher, teacher_layers(student, teacher), {})
    assert teacher.training and not read.teacher.requires_grad and read.student.requires_grad
    teacher.prompt = "ab"
    for k, m in ((1, 2), (2, 4)):
        mine, theirs = (
            torch.cat([hidden(one, text)[at] for text in shown()]) for one, at in ((student, k), (teacher.eval(), m))
        )
        torch.testing.assert_close(read.student[k - 1], mine, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(read.teacher[k - 1], theirs, atol=1e-5, rtol=1e-5)


def test_texts_where_the_pieces_differ():
    teacher, student = wide(), deep(2)
    assert not same_pieces(student, teacher) and teacher_layers(student, teacher) == (2, 3)
    vectors = [layer_vectors(teacher, table()[side], (2, 3), max_tokens=32)[ROWS] for side in ("source", "target")]
    given = dict(zip(("features_source", "features_target"), map(torch.from_numpy, vectors), strict=True))
    read = features(student, batch_of(student)["features"], teacher, (2, 3), given)
    assert read.student.shape == (2, 6, 16) and read.teacher.shape == (2, 6, 24)
    for i, text in enumerate(shown()):
        for k, m in ((1, 2), (2, 3)):
            torch.testing.assert_close(read.student[k - 1, i], hidden(student, text)[k].mean(0), atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(read.teacher[k - 1, i], hidden(teacher, text)[m].mean(0), atol=1e-5, rtol=1e-5)


def run(student, teacher, out, **options):
    training = TrainOptions(steps=20, batch_size=16, learning_rate=1e-2, warmup=0.0, log_every=1)
    recipe = Recipe(feature_distil=FeatureDistilOptions(**options), train=training)
    return train(student, table(), recipe, out, teacher=teacher, progress=False)


@pytest.mark.parametrize("pieces", ["same", "others"])
def test_it_trains_and_the_teacher_stands_still(tmp_path, pieces):
    teacher = deep() if pieces == "same" else wide()
    before = teacher.encode(table()["source"])
    student = with_layers(deep(), 2)[0]
    losses = [row["feature_distil"] for row in run(student, teacher, tmp_path / "out")["losses"]]
    assert losses[-1] < losses[0] / 2, losses
    assert np.array_equal(teacher.encode(table()["source"]), before)
    assert np.array_equal(load_encoder(tmp_path / "out").encode(["abc"]), student.encode(["abc"]))


def test_a_student_of_all_layers_has_nothing_to_learn(tmp_path):
    teacher = deep()
    facts = run(quiet(with_layers(teacher, 4)[0]), teacher, tmp_path / "out", adapter=True)
    assert facts["losses"][0]["feature_distil"] < 1e-9


def test_the_two_stages(tmp_path):
    small = ["train.batch_size=16", "train.steps=4", "train.log_every=1", "train.freeze_embeddings=false"]
    recipe = load_recipe("feature_distillation", changes=small)
    assert [list(stage.objectives) for stage in recipe.stages] == [["feature_distil"], ["info_nce"]]
    facts = train(with_layers(deep(), 2)[0], table(), recipe, tmp_path / "out", teacher=deep(), progress=False)
    assert [stage["name"] for stage in facts["stages"]] == ["features", "contrast"]


def test_beside_a_contrast(tmp_path):
    recipe = Recipe(
        feature_distil=FeatureDistilOptions(), info_nce=ContrastiveOptions(),
        train=TrainOptions(steps=2, batch_size=8, log_every=1),
    )  # fmt: skip
    line = train(deep(2), table(), recipe, tmp_path / "out", teacher=deep(), progress=False)["losses"][0]
    assert line["loss"] == pytest.approx(line["feature_distil"] + line["info_nce"], rel=1e-5)


def test_layers_by_name_and_messages(tmp_path):
    teacher, student = deep(), deep(2)
    assert teacher_layers(student, teacher) == (2, 4) and teacher_layers(student, teacher, (1, 2)) == (1, 2)
    for layers, told in [((1,), "must be 2 of the teacher's layers"), ((1, 5), "has layers 1 to 4, got 5")]:
        with pytest.raises(InputError, match=told):
            run(student, teacher, tmp_path / "out", layers=layers)
    with pytest.raises(InputError, match="a teacher that stands still"):
        run(student, student, tmp_path / "out")
    with pytest.raises(InputError, match="the recipe distils, but no teacher was given"):
        run(student, None, tmp_path / "out")
    with pytest.raises(InputError, match="it has none of single layers"):
        run(student, Encoder(tiny_bert(), tiny_tokenizer(), Pooling(with_average=True)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_verb(align, tmp_path):
    teacher = deep()
    teacher.model.save_pretrained(tmp_path / "deep")
    teacher.tokenizer.save_pretrained(tmp_path / "deep")
    table().to_csv(tmp_path / "pairs.tsv", sep="\t", index=False)
    align("trim", "deep", "--layers", "2", "--out", "student")
    small = ("--set", "train.steps=2", "--set", "train.batch_size=8")
    align("train", "feature_distillation", "--pairs", "pairs.tsv", "--model", "student", "--teacher", "deep", *small,
          "--out", "model")  # fmt: skip
    about = json.loads((tmp_path / "model" / "align.json").read_text())
    assert about["recipe"]["stages"][0]["feature_distil"]["beta"] == 1.0
