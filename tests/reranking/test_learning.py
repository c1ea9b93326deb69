"""A scorer is learnt from pairs with negatives, kept in a folder, and found again; nothing is half-written."""

from __future__ import annotations

import math
import shutil

import pytest
import torch
from conftest import tiny_bert, tiny_tokenizer
from toy import greek, hard, words

import align
from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.files.whole import read_json
from align.reranking.learning import FusionOptions, fusion_head, loss_of
from align.reranking.scorer import load_scorer
from align.streams import drawn_from

OPTIONS = FusionOptions(joint=2, steps=60, batch=16, negatives=2, rate=3e-3, head_rate=1e-2)


def test_losses_by_hand():
    gone = float("-inf")
    scores = torch.tensor([[1.0, 0.0, 2.0], [0.5, -1.0, gone]], dtype=torch.float64, requires_grad=True)
    e = math.exp
    softmax = [math.log(e(1) + 1 + e(2)) - 1, math.log(e(0.5) + e(-1)) - 0.5]
    assert loss_of(scores, "softmax").item() == pytest.approx(sum(softmax) / 2)
    plus = lambda x: math.log(1 + e(x))  # noqa: E731
    bce = [(plus(-1) + plus(0) + plus(2)) / 3, (plus(-0.5) + plus(-1)) / 2]
    assert loss_of(scores, "bce").item() == pytest.approx(sum(bce) / 2)
    for loss in ("softmax", "bce"):
        (gradient,) = torch.autograd.grad(loss_of(scores, loss), scores)
        assert gradient.isfinite().all() and gradient[1, 2] == 0 and (gradient[:, 0] < 0).all()
        assert gradient[0, 1] > 0 and gradient[1, 1] > 0


@pytest.mark.parametrize("loss", ["softmax", "bce"])
def test_it_learns_what_tells_the_target_from_the_others(loss, bert_folder, tmp_path):
    options = FusionOptions(**{**OPTIONS.__dict__, "loss": loss})
    scorer = fusion_head(bert_folder, hard(tmp_path / "hard.tsv"), tmp_path / "scorer", options=options)
    first = read_json(tmp_path / "scorer" / "manifest.json")["loss"]
    assert first["last"] < first["first"] / 2
    latin = words(96)
    right = scorer.score(latin, greek(latin))
    wrong = scorer.score(latin, greek(latin[7:] + latin[:7]))
    assert (right > wrong).mean() > 0.7  # by chance a half


def test_a_folder_is_the_scorer_and_the_seed_decides(bert_folder, tmp_path):
    options = FusionOptions(joint=1, rest=1, steps=3, batch=4)
    made = fusion_head(bert_folder, hard(tmp_path / "hard.tsv", lacking=2), tmp_path / "one", options=options)
    torch.manual_seed(5)  # what the caller drew before must not matter
    again = align.fusion_head(bert_folder, tmp_path / "hard.tsv", tmp_path / "two", options=options)
    loaded = align.load_scorer(tmp_path / "one")
    assert loaded.identity() == made.identity() == again.identity()
    assert loaded.score(["abc"], ["αβ"]) == made.score(["abc"], ["αβ"])
    manifest = read_json(tmp_path / "one" / "manifest.json")
    assert (manifest["pairs"], manifest["without_negatives"]) == (94, 2)
    assert manifest["shape"] == {"separate": 0, "joint": 1} and loaded.fusion.shape.separate == 0
    other = fusion_head(
        bert_folder, tmp_path / "hard.tsv", tmp_path / "two", options=FusionOptions(**{**options.__dict__, "seed": 1})
    )
    assert other.identity() != made.identity()


def test_what_cannot_be_loaded_says_why(bert_folder, tmp_path):
    scorer = tmp_path / "scorer"
    fusion_head(bert_folder, hard(tmp_path / "hard.tsv"), scorer, options=FusionOptions(steps=1, batch=2))
    with pytest.raises(InputError, match="has no scorer: it has no manifest.json; expected what align head fusion"):
        load_scorer(bert_folder)
    with drawn_from(3, "other"):
        tiny_bert(seed=3).save_pretrained(tmp_path / "other")
    tiny_tokenizer().save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match=r"the scorer of another encoder: fingerprint \("):
        load_scorer(scorer, tmp_path / "other")
    with pytest.raises(InputError, match="max_tokens"):
        load_scorer(scorer, load_encoder(bert_folder, max_tokens=9))
    moved = tmp_path / "moved"
    shutil.move(bert_folder, moved)
    with pytest.raises(InputError, match="no such model folder"):
        load_scorer(scorer)
    assert load_scorer(scorer, moved).name == str(scorer)
    weights = (scorer / "weights.safetensors").read_bytes()
    (scorer / "weights.safetensors").write_bytes(weights[:-4] + b"\0\0\0\1")
    with pytest.raises(InputError, match="weights.safetensors is damaged"):
        load_scorer(scorer, moved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "hinge"}, "the loss of a scorer is softmax or bce, got 'hinge'"),
        ({"steps": 0}, "steps, batch, negatives and max_tokens of at least 1"),
        ({"rest": -1}, "rest of 0"),
        ({"rate": float("nan")}, "rates above 0, got nan"),
    ],
)
def test_options_that_cannot_train(changes, message):
    with pytest.raises(InputError, match=message):
        FusionOptions(**changes)


def test_nothing_is_written_where_there_is_nothing_to_learn(bert_folder, tmp_path):
    for file, options, message in (
        (hard(tmp_path / "none.tsv", lacking=96), FusionOptions(steps=1), "no pair has a negative"),
        (hard(tmp_path / "hard.tsv"), FusionOptions(joint=2, rest=1), "separate layers of at least 0"),
        (tmp_path / "hard.tsv", FusionOptions(steps=30, rate=1e38), "the loss of step .* is .*lower rate"),
    ):
        with pytest.raises(InputError, match=message):
            fusion_head(bert_folder, file, tmp_path / "scorer", options=options)
        assert not (tmp_path / "scorer").exists()
