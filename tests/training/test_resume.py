"""A run goes on from its own checkpoints only, and its history is whole."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import N, table, words
from transformers import TrainerCallback

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.anchor import AnchorOptions
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.distillation.distil import DistilOptions
from align.training import model_card, resume
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.train import train


class Killed(Exception):
    """Stands for the end of the process."""


class KillAfter(TrainerCallback):
    """Ends a run at its n-th step, over all stages."""

    def __init__(self, steps):
        self.left = steps

    def on_step_begin(self, *args, **kwargs):
        if self.left == 0:
            raise Killed
        self.left -= 1


def recipe(**changes):
    parts = {name: changes.pop(name) for name in ("info_nce", "distil", "anchor") if name in changes}
    options = {"steps": 4, "batch_size": 8, "learning_rate": 1e-2, "warmup": 0.0, "save_every": 2} | changes
    return Recipe(train=TrainOptions(**options), **(parts or {"info_nce": ContrastiveOptions()}))


def staged(first=None, second=None):
    return Recipe(stages=(replace(first or recipe(), name="a"), replace(second or recipe(), name="b")))


def run(folder, out, chosen, *, encoder=None, pairs=None, kill=None, **options):
    encoder = encoder or load_encoder(folder)
    callbacks = [] if kill is None else [KillAfter(kill)]
    facts = train(
        encoder, table() if pairs is None else pairs, chosen, out, callbacks=callbacks, progress=False, **options
    )
    return encoder.encode(words()), facts


@pytest.mark.parametrize("shape", ["plain", "stages"])
def test_a_run_never_goes_on_from_another_ones_checkpoints(bert_folder, tmp_path, shape):
    first, second = recipe(), recipe(learning_rate=5e-2)
    if shape == "stages":
        first, second = staged(first), staged(second)
    theirs, _ = run(bert_folder, tmp_path / "out", first)
    with suppress(InputError, Killed):
        run(bert_folder, tmp_path / "out", second, kill=1)
    found = None
    with suppress(InputError):
        found, _ = run(bert_folder, tmp_path / "out", second, resume=True)
    assert found is None or not np.array_equal(found, theirs)


@pytest.mark.parametrize("shape", ["plain", "stages"])
def test_a_fresh_start_over_checkpoints_is_refused_or_removes_what_is_aligns(bert_folder, tmp_path, shape):
    chosen, other = recipe(), recipe(learning_rate=5e-2)
    if shape == "stages":
        chosen, other = staged(chosen), staged(other)
    run(bert_folder, tmp_path / "out", chosen)
    work = tmp_path / "out.checkpoints"
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    folder = {"plain": "checkpoint-4", "stages": "2-b"}[shape]
    place = {"plain": "checkpoint-2, checkpoint-4", "stages": "1-a/checkpoint-2, .*, 2-b/finished"}[shape]
    with pytest.raises(
        InputError, match=rf"holds checkpoints of an earlier run \({place}\): expected resume .--resume"
    ):
        run(bert_folder, tmp_path / "out", other)
    with pytest.raises(InputError, match="expected one"):
        run(bert_folder, tmp_path / "out", other, resume=True, fresh=True)
    with pytest.raises(InputError, match="lower train.batch_size"):  # what cannot be trained removes nothing
        run(bert_folder, tmp_path / "out", recipe(batch_size=N + 1), fresh=True)
    assert before == {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    for name in ("notes.txt", "checkpoint-best/model.safetensors", f"{folder}/notes.txt"):
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text("mine")
    (work / folder / ".run.json.x1").write_text("half")
    run(bert_folder, tmp_path / "out", recipe(save_every=0), fresh=True)
    left = sorted(path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file())
    expected = sorted(["notes.txt", "checkpoint-best/model.safetensors", f"{folder}/notes.txt"])
    assert left == (expected if shape == "plain" else sorted([*expected, f"{folder}/.run.json.x1"]))
    run(bert_folder, tmp_path / "out", recipe(save_every=0))  # nothing of Align's is there


def test_a_fresh_run_is_the_run_that_it_would_have_been(bert_folder, tmp_path):
    expected, _ = run(bert_folder, tmp_path / "alone", recipe(learning_rate=5e-2))
    run(bert_folder, tmp_path / "out", recipe())
    with suppress(Killed):
        run(bert_folder, tmp_path / "out", recipe(learning_rate=5e-2), fresh=True, kill=3)
    found, _ = run(bert_folder, tmp_path / "out", recipe(learning_rate=5e-2), resume=True)
    assert np.array_equal(found, expected)


class Teacher:
    dimension = 16

    def __init__(self, name):
        self.name = name

    def identity(self):
        return {"fingerprint": self.name}

    def encode(self, texts, **_):
        return np.ones((len(texts), 16), dtype=np.float32)


def scorer(encoder):
    return {"x": 0.5, "y": 0.5}


def other_weights(encoder):
    with torch.no_grad():
        encoder.model.cls.predictions.bias[0] += 1  # of the head, which no vector reads


def other_dropout(encoder):
    encoder.model.config.hidden_dropout_prob = 0.3


def other_prompt(encoder):
    encoder.prompt = "ab"


OTHERS = [
    ({"seed": 1}, "recipe.*.train.seed was 0, now it is 1"),
    ({"change": other_weights}, "encoder.weights was"),
    ({"change": other_dropout}, "encoder.config was"),
    ({"change": other_prompt}, "encoder.prompt was '', now it is 'ab'"),
    ({"pairs": table(target=words(seed=3))}, "pairs was"),
    ({"versions": {"torch": "1.0"}}, "versions.torch was '.*', now it is '1.0'"),
    ({"processes": 2}, "processes was 1, now it is 2"),
    ({"teacher": Teacher("two")}, "teacher.fingerprint was 'one', now it is 'two'"),
    ({"rehearsal": ["cd"]}, "rehearsal was"),
    ({"best": "dev/y"}, "best was 'dev/x', now it is 'dev/y'"),
    ({"evaluators": {"dev": scorer, "test": scorer}}, "evaluators.1 was None, now it is 'test'"),
]


@pytest.mark.parametrize("shape", ["plain", "stages"])
def test_what_decides_a_run_is_sealed_into_its_checkpoints(bert_folder, tmp_path, monkeypatch, shape):
    def start(seed=0, change=None, versions=None, processes=1, **options):
        chosen = recipe(
            distil=DistilOptions(),
            anchor=AnchorOptions(rehearsal=1),
            evaluate_every=2,
            seed=seed,
            steps=2,
            save_every=2,
        )
        if shape == "stages":
            chosen = Recipe(stages=(replace(chosen, name="a"),))
        encoder = load_encoder(bert_folder)
        if change:
            change(encoder)
        given = {"teacher": Teacher("one"), "rehearsal": ["ab"], "evaluators": {"dev": scorer}, "best": "dev/x"}
        with monkeypatch.context() as patch:
            if versions:
                patch.setattr(resume, "versions", lambda: model_card.versions() | versions)
            patch.setattr(resume, "world", lambda: (0, processes))
            run(bert_folder, tmp_path / "out", chosen, encoder=encoder, **given | options)

    start()
    if shape == "stages":  # what the stage left at its end is the one thing to go on from
        shutil.rmtree(tmp_path / "out.checkpoints" / "1-a" / "checkpoint-2")
    for other, sentence in OTHERS:
        with pytest.raises(InputError, match=rf"cannot be resumed: {sentence}"):
            start(**other, resume=True)


def test_a_moved_encoder_is_the_same(bert_folder, tmp_path):
    with suppress(Killed):
        run(bert_folder, tmp_path / "out", recipe(), kill=3)
    shutil.copytree(bert_folder, tmp_path / "moved")
    expected, _ = run(bert_folder, tmp_path / "whole", recipe())
    found, _ = run(tmp_path / "moved", tmp_path / "out", recipe(), resume=True)
    assert np.array_equal(found, expected)


def test_a_checkpoint_without_its_settings_is_passed_over(bert_folder, tmp_path):
    run(bert_folder, tmp_path / "out", recipe())
    for folder in (tmp_path / "out.checkpoints").iterdir():
        manifest = json.loads((folder / "manifest.json").read_text())
        del manifest["run.json"]
        (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="every checkpoint in .* is damaged"):
        run(bert_folder, tmp_path / "out", recipe(), resume=True)


def test_the_history_of_a_resumed_run_is_that_of_the_whole_run(bert_folder, tmp_path):
    chosen = recipe(steps=7, log_every=3, accumulate=2)
    vectors, whole = run(bert_folder, tmp_path / "whole", chosen)
    assert [line["step"] for line in whole["losses"]] == [3, 6, 7]
    for kill in (3, 5, 7):  # before any line, between two; 7: after the last checkpoint, before the result
        work = tmp_path / f"{kill}.checkpoints"
        if kill == 7:
            shutil.copytree(tmp_path / "whole.checkpoints", work)
        else:
            with suppress(Killed):
                run(bert_folder, tmp_path / str(kill), chosen, kill=kill)
        found, resumed = run(bert_folder, tmp_path / str(kill), chosen, resume=True)
        assert np.array_equal(found, vectors)
        assert resumed == whole
    saved = json.loads((tmp_path / "7" / "align.json").read_text())
    assert saved["summary"]["losses"] == whole["losses"]


def test_the_history_of_resumed_stages_is_that_of_the_whole_run(bert_folder, tmp_path):
    vectors, whole = run(bert_folder, tmp_path / "whole", staged())
    assert [len(stage["losses"]) for stage in whole["stages"]] == [1, 1]
    with suppress(Killed):
        run(bert_folder, tmp_path / "out", staged(), kill=7)
    found, resumed = run(bert_folder, tmp_path / "out", staged(), resume=True)
    assert np.array_equal(found, vectors)
    assert resumed == whole
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.count("trained on 96 pairs in 1 languages") == 2


def test_fewer_steps_than_a_line_has_leave_a_line(bert_folder, tmp_path):
    _, short = run(bert_folder, tmp_path / "short", recipe(steps=3, log_every=10, save_every=0, schedule="constant"))
    _, each = run(bert_folder, tmp_path / "each", recipe(steps=3, log_every=1, save_every=0, schedule="constant"))
    (line,) = short["losses"]
    assert line["step"] == 3
    assert line["info_nce"] == pytest.approx(np.mean([row["info_nce"] for row in each["losses"]]), rel=1e-6)
    scores = iter((0.5, 0.1))
    _, stopped = run(
        bert_folder, tmp_path / "stopped", recipe(steps=8, log_every=10, save_every=0, evaluate_every=2, patience=1),
        evaluators={"dev": lambda encoder: {"x": next(scores)}}, best="dev/x",
    )  # fmt: skip
    assert [row["step"] for row in stopped["losses"]] == [4]


def test_on_the_command_line(align, bert_folder, tmp_path):
    table().to_json(tmp_path / "pairs.jsonl")
    common = ("train", "translation", "--pairs", "pairs.jsonl", "--model", bert_folder, "--out", "out", "--set")
    common = (*common, "train.steps=2", "--set", "train.save_every=2", "--set")
    align(*common, "train.seed=0")
    assert "holds checkpoints of an earlier run" in (message := align(*common, "train.seed=1", code=2).err)
    assert "(--resume)" in message and "(--fresh)" in message
    assert "recipe.train.seed was 0, now it is 1" in align(*common, "train.seed=1", "--resume", code=2).err
    align(*common, "train.seed=1", "--fresh")
    align(*common, "train.seed=1", "--resume")
