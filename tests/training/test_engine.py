"""The fast paths of a run: each gives what the plain one gives, and the log says which was taken."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import torch
from conftest import tiny_bert
from toy import quiet, table, words

from align.encoders.blocks import attention_dropout, attention_dropouts
from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.mlm import MlmOptions
from align.objectives.multiple_negatives import MultipleNegativesOptions
from align.objectives.tlm import TlmOptions
from align.training.options import TrainOptions
from align.training.recipe import Recipe
from align.training.train import train
from align.vectors.folder import open_vectors, vectors_of

RECIPES = {
    "nt_xent and mlm": {"nt_xent": ContrastiveOptions(), "mlm": MlmOptions(rate=0.5)},
    "info_nce": {"info_nce": ContrastiveOptions(learn_temperature=True)},
    "hard negatives": {"multiple_negatives": MultipleNegativesOptions(symmetric=True)},
    "tlm": {"tlm": TlmOptions(rate=0.5, restart_positions=True)},
}
PATHS = [
    {"attention": "padded"}, {"loss": "plain"}, {"prefetch": 0}, {"micro_tokens": 40},
    {"micro_tokens": 40, "gradient_checkpointing": True}, {"attention": "padded", "micro_tokens": 40, "loss": "plain"},
]  # fmt: skip


def run(folder, out, parts, **changes):
    encoder = quiet(load_encoder(folder))
    options = TrainOptions(steps=4, batch_size=16, learning_rate=1e-3, warmup=0.0, log_every=1, **changes)
    facts = train(encoder, table(negative=words(96, seed=1)), Recipe(train=options, **parts), out, progress=False)
    return [step["loss"] for step in facts["losses"]], encoder.encode(words())


@pytest.mark.parametrize("name", RECIPES)
def test_every_path_trains_alike(name, bert_folder, tmp_path):
    losses, vectors = run(bert_folder, tmp_path / "out", RECIPES[name])
    assert losses[0] != losses[-1]
    for changes in PATHS:
        found, after = run(bert_folder, tmp_path / "out", RECIPES[name], **changes)
        assert found == pytest.approx(losses, rel=1e-4), changes
        assert np.abs(after - vectors).max() < 1e-3, changes


def test_the_log_says_which_paths_are_taken(bert_folder, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        run(bert_folder, tmp_path / "out", RECIPES["info_nce"])
        assert "engine: attention packed (grouped), contrast by blocks, fused AdamW" in caplog.text
        run(
            bert_folder, tmp_path / "out", RECIPES["info_nce"], attention="padded", loss="plain", micro_tokens=4000,
            bf16=True,
        )  # fmt: skip
        line = (
            "engine: attention padded (as asked), contrast whole, as asked, micro-batches of 4,000 tokens, bf16, fused"
        )
        assert line in caplog.text


def test_the_encoder_is_as_it_was_after_a_run(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    options = TrainOptions(steps=2, batch_size=16, attention="padded", attention_dropout=0.0)
    train(encoder, table(), Recipe(train=options, info_nce=ContrastiveOptions()), tmp_path / "out", progress=False)
    assert encoder.attention == "auto" and encoder.round_to == 1
    assert [dropout.p for dropout in attention_dropouts(encoder.model)] == [0.1, 0.1]


def test_attention_dropout_is_set_while_a_run_lasts():
    model = tiny_bert()
    with attention_dropout(model, 0.0):
        assert [dropout.p for dropout in attention_dropouts(model)] == [0.0, 0.0]
        assert model.bert.encoder.layer[0].output.dropout.p == 0.1  # of the block, left alone
    with attention_dropout(model, None):
        assert [dropout.p for dropout in attention_dropouts(model)] == [0.1, 0.1]


def test_a_model_without_such_a_dropout(monkeypatch):
    monkeypatch.setattr("align.encoders.blocks.attention_dropouts", lambda _: [])
    with (
        pytest.raises(InputError, match=r"attention_dropout cannot be set: BertForMaskedLM has no such dropout"),
        attention_dropout(tiny_bert(), 0.0),
    ):
        pass


def test_rounded_weights_encode_but_do_not_train(bert_folder, tmp_path, caplog):
    exact, rounded = load_encoder(bert_folder), load_encoder(bert_folder, bf16=True)
    assert rounded.identity() == exact.identity()
    assert next(rounded.parameters()).dtype == torch.bfloat16
    a, b = exact.encode(words()), rounded.encode(words())
    assert b.dtype == np.float32
    assert (a * b).sum(1).min() > 0.999
    assert not np.array_equal(a, b)
    with pytest.raises(InputError, match=r"load the encoder without bf16, and set train.bf16 = true"):
        train(rounded, table(), Recipe(info_nce=ContrastiveOptions()), tmp_path / "out", progress=False)


def test_a_cpu_without_bfloat16_is_told(bert_folder, monkeypatch, caplog):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    load_encoder(bert_folder, bf16=True, device="cpu")
    assert "no bfloat16 instructions" in caplog.text


def test_vectors_are_written_where_one_says(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    expected = encoder.encode(words())
    out = np.lib.format.open_memmap(tmp_path / "v.npy", mode="w+", dtype=np.float16, shape=expected.shape)
    assert encoder.encode(words(), out=out) is out
    assert np.abs(np.load(tmp_path / "v.npy") - expected).max() < 1e-3
    with pytest.raises(InputError, match=r"array of shape \(96, 16\) to write the vectors to, got \(95, 16\)"):
        encoder.encode(words(), out=np.empty((95, 16), dtype=np.float32))
    assert encoder.encode([], out=np.empty((0, 16), dtype=np.float32)).shape == (0, 16)


@pytest.mark.parametrize("option", ["attention", "loss"])
def test_settings_that_do_not_exist(option):
    with pytest.raises(InputError, match=rf"train.{option} must be auto or .*, got 'quick'"):
        Recipe(info_nce=ContrastiveOptions(), train=TrainOptions(**{option: "quick"}))
    for name in ("micro_tokens", "batch_tokens", "prefetch"):
        with pytest.raises(InputError, match=f"train.{name} must be at least 0, got -1"):
            Recipe(info_nce=ContrastiveOptions(), train=TrainOptions(**{name: -1}))
    with pytest.raises(InputError, match="train.attention_dropout must be in 0..1, and not 1, got 1.0"):
        Recipe(info_nce=ContrastiveOptions(), train=TrainOptions(attention_dropout=1.0))


def test_on_the_command_line(align, bert_folder, tmp_path):
    (tmp_path / "text.txt").write_text("abc\nhello there\n", encoding="utf-8")
    made = {}
    for name, options in {
        "plain": ["--attention", "padded"], "packed": [], "exact": ["--deterministic"], "bf16": ["--bf16", "--float16"],
    }.items():  # fmt: skip
        align("encode", bert_folder, "text.txt", "--out", name, *options)
        (stored,) = open_vectors(tmp_path / name).tables(["vector"])
        made[name] = vectors_of(stored)
    assert made["bf16"].dtype == np.float16
    for name in ("packed", "exact"):
        assert np.abs(made[name] - made["plain"]).max() < 1e-6
    assert np.abs(made["bf16"] - made["plain"]).max() < 0.1
    manifests = [json.loads((tmp_path / name / "manifest.json").read_text())["encoder"] for name in made]
    assert all(one == manifests[0] for one in manifests)
    assert (
        "--attention must be auto or padded, got 'quick'"
        in align("encode", bert_folder, "text.txt", "--out", "x", "--attention", "quick", code=2).err
    )
    assert not (tmp_path / "x").exists()
    table().to_json(tmp_path / "pairs.jsonl")
    align(
        "train", "transliteration", "--model", bert_folder, "--pairs", "pairs.jsonl", "--out", "model", "--attention",
        "padded", "--loss", "plain", "--set", "train.steps=1", "--set", "train.batch_size=8",
    )  # fmt: skip
    kept = json.loads((tmp_path / "model" / "align.json").read_text())["recipe"]["train"]
    assert (kept["attention"], kept["loss"]) == ("padded", "plain")


def test_batches_by_tokens(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    sizes = []
    encoder.body.register_forward_hook(
        lambda _, args, options, __: sizes.append(options["input_ids"].numel()), with_kwargs=True
    )
    options = TrainOptions(steps=6, batch_tokens=150, batch_size=5, warmup=0.0)
    facts = train(
        encoder, table(), Recipe(train=options, info_nce=ContrastiveOptions()), tmp_path / "out", progress=False
    )
    seen = [size for size in sizes if size > 8]  # before: whether the model can be packed
    assert len(seen) == 6 and max(seen) <= 150 and min(seen) > 110
    words_per_pair = np.mean([len(word) + 2 for word in words()]) * 2
    assert facts["pairs_per_step"] == pytest.approx(150 / words_per_pair, abs=1.5)
    assert facts["negatives"] == facts["pairs_per_step"] - 1


def test_a_backend_that_does_not_exist(align, bert_folder, tmp_path):
    (tmp_path / "text.txt").write_text("abc\n", encoding="utf-8")
    told = align("encode", bert_folder, "text.txt", "--out", "x", "--backend", "tpu", code=2).err
    assert "unknown backend 'tpu': expected torch, openvino or onnx" in told
    for code in ("deu_Latn", "eng_Latn"):
        (tmp_path / f"{code}.txt").write_text("abc\nxyz\n", encoding="utf-8")
    told = align("eval", bert_folder, f"retrieval={tmp_path}", "--backend", "tpu", code=2).err
    assert "unknown backend 'tpu'" in told
