"""Pairs with a class, or without one: how they are read, kept as arrays, and what a run remembers of them."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from toy import greek, table, words

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.prototypes import PrototypesOptions
from align.training.batches import Batches
from align.training.inputs import columns
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.store import build_store
from align.training.train import train

LETTERS = "ab"


def texts(n=48):
    """Latin words whose class is their first half of the alphabet, and Greek ones without."""
    latin = words(n)
    known = [LETTERS[word[0] > "l"] for word in latin]
    return Dataset.from_dict({
        "source": latin + greek(latin), "target": latin + greek(latin),
        "source_lang": ["ell_Latn"] * n + ["ell_Grek"] * n, "target_lang": ["ell_Latn"] * n + ["ell_Grek"] * n,
        "group_id": [str(i) for i in range(2 * n)], "class": known + [None] * n,
    })  # fmt: skip


def recipe(**options):
    options = {"steps": 24, "batch_size": 16, "learning_rate": 5e-3, "warmup": 0.0, "log_every": 1} | options
    return Recipe(prototypes=PrototypesOptions(), train=TrainOptions(**options))


def test_classes_and_languages_of_both_sides_are_kept(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    given = table(5, **{"class": ["b", "", None, "a", "b"]})
    made = build_store(given, encoder, max_tokens=12, columns=["class"], cache=tmp_path)
    assert made.classes.tolist() == [1, -1, -1, 0, 1] and made.class_names == ("a", "b")
    assert made.sides.tolist() == [[0, 1]] * 5  # Grek before Latn
    plain = build_store(given, encoder, max_tokens=12, cache=tmp_path)
    assert plain.classes is None and plain.class_names == () and plain.digest != made.digest
    other = table(5, **{"class": ["b", "", None, "a", "a"]})
    assert build_store(other, encoder, max_tokens=12, columns=["class"], cache=tmp_path).digest != made.digest


def test_a_batch_has_them(bert_folder, tmp_path):
    encoder, chosen = load_encoder(bert_folder), recipe()
    assert columns(chosen.needs) == ["class"]
    store = build_store(texts(), encoder, max_tokens=12, columns=columns(chosen.needs), cache=tmp_path)
    batch = Batches(store, encoder, chosen)[(0, np.array([3, 50, 7]))]
    assert batch["numbers"].tolist() == [3, 50, 7] and batch["classified"][1] == -1
    assert batch["source_languages"].tolist() == batch["target_languages"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("given, message", [
    (["a"] * 4, "the column class names 1 classes: expected two or more"),
    ([""] * 4, "the column class names 0 classes"),
    ([1, 2, 1, 2], "expected text in the column class, got int64"),
])  # fmt: skip
def test_what_cannot_be_told_apart_is_refused(bert_folder, tmp_path, given, message):
    with pytest.raises(InputError, match=message):
        train(load_encoder(bert_folder), table(4, **{"class": given}), recipe(batch_size=2), tmp_path / "out")


def test_a_table_without_the_column_is_refused(bert_folder, tmp_path):
    with pytest.raises(InputError, match="lacks the column class, .*align pairs classes writes it"):
        train(load_encoder(bert_folder), table(), recipe(), tmp_path / "out")


def test_what_a_run_remembers_goes_on_from_its_checkpoint(bert_folder, tmp_path):
    """Prototypes, guesses and margins are in the checkpoint: the losses that follow are those of the whole run."""
    chosen, found = recipe(save_every=12), []
    for name, resume in (("whole", False), ("cut", True)):
        if resume:
            shutil.copytree(tmp_path / "whole.checkpoints", tmp_path / "cut.checkpoints")
            shutil.rmtree(tmp_path / "cut.checkpoints" / "checkpoint-24")
        facts = train(load_encoder(bert_folder), texts(), chosen, tmp_path / name, resume=resume, progress=False)
        found.append(facts["losses"][-12:])
    assert found[0] == found[1]
    assert found[0][-1]["prototypes_guessed"] > 0 and found[0][-1]["prototypes"] > 0
    kept = load_file(tmp_path / "whole.checkpoints" / "checkpoint-12" / "model.safetensors")
    named = {key.rpartition(".")[2]: value for key, value in kept.items() if key.startswith("learned.prototypes.")}
    assert named["guesses"].shape == (96, 2) and named["drawn"] == 12 * 16
    lengths = named["centres"].norm(dim=-1)[named["seen"]]
    assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-5)
    assert not named["guesses"][:48].any()  # what has a class needs no guess
