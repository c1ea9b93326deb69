from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from toy import N, p1, quiet, table, words
from transformers import TrainerCallback

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives import cosine_anchor, info_nce, mlm, mse_anchor, nt_xent
from align.objectives.anchor import AnchorOptions
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.mlm import MlmOptions
from align.objectives.multiple_negatives import MultipleNegativesOptions
from align.training.batches import Batches
from align.training.callbacks import TrainingStopped
from align.training.options import EncoderOptions, TrainOptions
from align.training.recipe import Recipe
from align.training.resume import newest_checkpoint
from align.training.sampling import BatchStream
from align.training.stage import interpolate, set_trainable, start_weights
from align.training.step import Alignment
from align.training.store import build_store
from align.training.train import train


def recipe(steps=6, **parts):
    options = {"steps": steps, "batch_size": 16, "learning_rate": 1e-2, "warmup": 0.0, **parts.pop("train", {})}
    parts = parts or {"nt_xent": ContrastiveOptions()}
    return Recipe(train=TrainOptions(**options), **parts)


def run(encoder, out, chosen=None, pairs=None, **options):
    return train(encoder, table() if pairs is None else pairs, chosen or recipe(), out, progress=False, **options)


def test_training_aligns_and_saves(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    before = p1(encoder)["P@1"]
    facts = run(
        encoder, tmp_path / "out", recipe(steps=120), about={"romaniser": "uroman 1", "sources": [{"licence": "CC0"}]}
    )
    after = p1(encoder)["P@1"]
    assert before < 0.1
    assert after > 0.5
    assert facts["losses"][-1]["loss"] < facts["losses"][0]["loss"]
    assert (facts["pairs"], facts["languages"], facts["scripts"], facts["negatives"]) == (N, 1, ["Grek"], 30)
    plain = SentenceTransformer(str(tmp_path / "out"), device="cpu")
    assert np.abs(plain.encode(words(), show_progress_bar=False) - encoder.encode(words())).max() < 1e-6
    saved = json.loads((tmp_path / "out" / "align.json").read_text())
    assert saved["recipe"]["train"]["steps"] == 120
    assert {"torch", "transformers"} <= saved["versions"].keys()
    card = (tmp_path / "out" / "README.md").read_text()
    assert "uroman 1" in card
    assert "CC0" in card
    assert not (tmp_path / "out.checkpoints").exists()


def test_a_run_is_a_function_of_its_seed(bert_folder, tmp_path):
    vectors = []
    for seed in (0, 0, 1):
        encoder = load_encoder(bert_folder)
        run(encoder, tmp_path / "out", recipe(mlm=MlmOptions(), nt_xent=ContrastiveOptions(), train={"seed": seed}))
        vectors.append(encoder.encode(words()))
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == ["out"]  # no empty checkpoints


def test_resume_is_exact(bert_folder, tmp_path):
    chosen = recipe(
        steps=8, nt_xent=ContrastiveOptions(learn_temperature=True), mlm=MlmOptions(), train={"save_every": 4}
    )
    whole = load_encoder(bert_folder)
    run(whole, tmp_path / "whole", chosen)
    shutil.copytree(tmp_path / "whole.checkpoints", tmp_path / "cut.checkpoints")
    shutil.rmtree(tmp_path / "cut.checkpoints" / "checkpoint-8")
    again = load_encoder(bert_folder)
    run(again, tmp_path / "cut", chosen, resume=True)
    assert np.array_equal(again.encode(words()), whole.encode(words()))


def test_a_damaged_checkpoint_is_passed_over(bert_folder, tmp_path):
    chosen = recipe(steps=4, train={"save_every": 2})
    run(load_encoder(bert_folder), tmp_path / "out", chosen)
    work = tmp_path / "out.checkpoints"
    settings = json.loads((work / "checkpoint-4" / "run.json").read_text())
    assert newest_checkpoint(work, settings).name == "checkpoint-4"
    with open(work / "checkpoint-4" / "optimizer.pt", "r+b") as file:
        file.seek(100)
        file.write(b"\x00\x01\x02")
    assert newest_checkpoint(work, settings).name == "checkpoint-2"
    (work / "checkpoint-2" / "manifest.json").unlink()
    with pytest.raises(InputError, match="every checkpoint in .* is damaged"):
        newest_checkpoint(work, settings)


def test_resuming_another_run_is_refused(bert_folder, tmp_path):
    with pytest.raises(InputError, match="nothing to resume from: no checkpoint in"):
        run(load_encoder(bert_folder), tmp_path / "out", resume=True)
    run(load_encoder(bert_folder), tmp_path / "out", recipe(steps=2, train={"save_every": 2}))
    with pytest.raises(InputError, match="cannot be resumed: recipe.train.steps was 2, now it is 3"):
        run(load_encoder(bert_folder), tmp_path / "out", recipe(steps=3, train={"save_every": 2}), resume=True)


def test_nan_stops_the_run_and_saves_nothing(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    with torch.no_grad():
        encoder.model.bert.encoder.layer[0].output.dense.bias[0] = float("nan")
    with pytest.raises(TrainingStopped, match=r"step 1: nt_xent nan, loss nan; pairs \["):
        run(encoder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_infinite_gradient_stops_the_run(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    bias = encoder.model.bert.encoder.layer[0].output.dense.bias
    bias.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(TrainingStopped, match=r"step 1: the gradient of .*output.dense.bias is not finite"):
        run(encoder, tmp_path / "out")


def test_the_best_evaluation_is_kept(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    seen = []

    def evaluator(model):
        seen.append(model.encode(words()))
        return {"score": [0.3, 0.9, 0.1][len(seen) - 1]}

    chosen = recipe(steps=6, train={"evaluate_every": 2})
    facts = run(encoder, tmp_path / "out", chosen, evaluators={"dev": evaluator}, best="dev/score")
    assert [row["dev/score"] for row in facts["evaluations"]] == [0.3, 0.9, 0.1]
    assert np.array_equal(encoder.encode(words()), seen[1])


def test_interpolation_is_between_start_and_end(bert_folder, tmp_path):
    start, end, half = (load_encoder(bert_folder) for _ in range(3))
    run(end, tmp_path / "end", recipe())
    run(half, tmp_path / "half", recipe(train={"interpolate": 0.25}))
    for (name, s), e, h in zip(start.named_parameters(), end.parameters(), half.parameters(), strict=True):
        assert torch.allclose(h, 0.25 * e + 0.75 * s, atol=1e-6), name
    module = Alignment(end, recipe())
    set_trainable(module)
    kept = start_weights(module)
    interpolate(module, kept, 0.0)
    assert all(torch.equal(kept[name], p) for name, p in end.named_parameters() if name in kept)


def test_what_gets_no_gradient_is_frozen_and_free_again(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder, layer=1)
    before = {name: p.clone() for name, p in encoder.named_parameters()}
    run(encoder, tmp_path / "out", recipe(train={"freeze_embeddings": True}, nt_xent=ContrastiveOptions()))
    moved = {name for name, p in encoder.named_parameters() if not torch.equal(p, before[name])}
    assert any("layer.0" in name for name in moved)
    assert not any("layer.1" in name or "cls" in name or "word_embeddings" in name for name in moved)
    assert all(p.requires_grad for p in encoder.parameters())


def batch_of(encoder, chosen, pairs=None, **options):
    store = build_store(pairs or table(), encoder, max_tokens=32)
    return Batches(store, encoder, chosen, **options)[(3, np.array([5, 2, 9, 40]))]


def forward(encoder, chosen, batch):
    module = Alignment(quiet(encoder), chosen).train()
    return module(**{key: value for key, value in batch.items() if key != "rows"})


def test_a_step_is_the_weighted_sum_of_its_definition(bert_folder):
    encoder = quiet(load_encoder(bert_folder, layer=1, special_tokens=False))
    chosen = recipe(
        nt_xent=ContrastiveOptions(weight=0.25, temperature=1.0, cosine=False), mlm=MlmOptions(weight=0.5, rate=0.4),
        anchor=AnchorOptions(source=2.0, target=3.0, distance="mse"), info_nce=ContrastiveOptions(weight=0.1),
    )  # fmt: skip
    start = encoder.encode(table()["source"], raw=True) + 0.1
    batch = batch_of(encoder, chosen, start=start)
    terms = forward(encoder, chosen, batch)
    # the same, one side at a time, through transformers' own model and full logits
    total = torch.zeros(())
    vectors = []
    for side in (slice(0, 4), slice(4, 8)):
        ids, attention, labels = (batch[key][side] for key in ("ids", "attention", "labels"))
        out = encoder.model(ids, attention_mask=attention, output_hidden_states=True)
        real = attention.bool() & ~torch.isin(ids, torch.tensor(encoder.added_ids))
        vectors.append(torch.stack([h[r].mean(0) for h, r in zip(out.hidden_states[1], real, strict=True)]))
        total = total + 0.5 * torch.nn.functional.cross_entropy(out.logits.flatten(0, 1), labels.flatten())
    source, target = vectors
    frozen = torch.from_numpy(start[[5, 2, 9, 40]])
    total = total + 0.25 * nt_xent(source, target, temperature=1.0, cosine=False) + 0.1 * info_nce(source, target)
    total = total + 2 * mse_anchor(source, frozen) + 3 * mse_anchor(target, frozen)
    assert (batch["labels"] != -100).any()
    assert terms["loss"].item() == pytest.approx(total.item(), rel=1e-5)


def test_frozen_contrast_with_bank_and_rehearsal(bert_folder):
    encoder = quiet(load_encoder(bert_folder))
    chosen = recipe(
        info_nce=ContrastiveOptions(frozen=True, bank=50, temperature=0.1),
        anchor=AnchorOptions(rehearsal=7.0, rehearsal_size=3),
    )  # fmt: skip
    start = encoder.encode(table()["source"], raw=True)
    texts = ["abc", "hello", "world", "xyz"]
    tokens = build_store(table(4, source=texts), encoder, max_tokens=32).source
    kept = encoder.encode(texts, raw=True) + 0.3
    batch = batch_of(encoder, chosen, start=start, rehearsal=(tokens, kept))
    assert batch["sides"] == [0, 4, 0, 3]
    terms = forward(encoder, chosen, batch)
    pairs = table()
    target = torch.from_numpy(encoder.encode([pairs["target"][i] for i in (5, 2, 9, 40)], raw=True))
    source = torch.cat([torch.from_numpy(start[[5, 2, 9, 40]]), batch["bank"]])
    assert len(source) == 54
    assert not {tuple(row) for row in batch["bank"].tolist()} & {tuple(row) for row in start[[5, 2, 9, 40]].tolist()}
    expected = info_nce(target, source, temperature=0.1)
    assert terms["info_nce"].item() == pytest.approx(expected.item(), rel=1e-4)
    chosen_texts = [
        texts[[np.array_equal(row, k) for k in kept].index(True)] for row in batch["rehearsal_start"].numpy()
    ]
    again = torch.from_numpy(encoder.encode(chosen_texts, raw=True))
    assert terms["anchor_rehearsal"].item() == pytest.approx(
        cosine_anchor(again, batch["rehearsal_start"]).item(), rel=1e-4
    )
    assert terms["loss"].item() == pytest.approx(
        terms["info_nce"].item() + 7 * terms["anchor_rehearsal"].item(), rel=1e-5
    )


def test_masks_spare_special_tokens_and_differ_by_step(bert_folder):
    encoder = load_encoder(bert_folder)
    chosen = recipe(mlm=MlmOptions(rate=1.0))
    store = build_store(table(), encoder, max_tokens=32)
    batches = Batches(store, encoder, chosen)
    rows = np.arange(8)
    first, again, other = batches[(0, rows)], batches[(0, rows)], batches[(1, rows)]
    assert torch.equal(first["ids"], again["ids"])
    assert not torch.equal(first["ids"], other["ids"])
    special = torch.isin(first["labels"], torch.tensor(encoder.added_ids))
    assert not special.any()
    assert ((first["labels"] != -100).sum(1) == first["attention"].sum(1) - 2).all()


def test_mlm_through_the_head_equals_full_logits_of_distilbert(tmp_path, bert_folder):
    from transformers import AutoTokenizer, DistilBertConfig, DistilBertForMaskedLM

    torch.manual_seed(0)
    config = DistilBertConfig(vocab_size=56, dim=16, n_layers=1, n_heads=2, hidden_dim=32, max_position_embeddings=64)
    DistilBertForMaskedLM(config).save_pretrained(tmp_path / "d")
    AutoTokenizer.from_pretrained(bert_folder).save_pretrained(tmp_path / "d")
    encoder = quiet(load_encoder(tmp_path / "d"))
    chosen = recipe(mlm=MlmOptions(rate=0.5))
    module = Alignment(encoder, chosen)
    batch = batch_of(encoder, chosen)
    out = encoder.model(batch["ids"], attention_mask=batch["attention"])
    expected = torch.nn.functional.cross_entropy(out.logits.flatten(0, 1), batch["labels"].flatten())
    states = encoder.hidden(batch["ids"], batch["attention"], head=True).last
    assert mlm(states, batch["labels"], module.head).item() == pytest.approx(expected.item(), rel=1e-5)


def test_messages(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    out = tmp_path / "out"
    with pytest.raises(InputError, match="a batch of 512 pairs needs as many different groups, but the data has 96"):
        run(encoder, out, recipe(train={"batch_size": 512}))
    with pytest.raises(InputError, match="the table 'pairs' lacks the column group_id; found source"):
        run(encoder, out, pairs=table().remove_columns("group_id"))
    with pytest.raises(InputError, match="the table 'pairs' is empty"):
        run(encoder, out, pairs=table().select([]))
    with pytest.raises(InputError, match="the recipe pools layer 1, the encoder was loaded with layer 2"):
        run(encoder, out, recipe(nt_xent=ContrastiveOptions(), encoder=EncoderOptions(layer=1)))
    with pytest.raises(InputError, match=r"best='x/y' names no evaluator: expected one of none"):
        run(encoder, out, best="x/y")
    with pytest.raises(InputError, match="rehearses .* but no rehearsal texts were given"):
        run(encoder, out, recipe(anchor=AnchorOptions(rehearsal=1.0)))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is a file; expected a folder"):
        run(encoder, tmp_path / "file")
    assert not out.exists()


def test_mlm_needs_a_head(bert_folder, tmp_path):
    from transformers import AutoModel

    AutoModel.from_pretrained(bert_folder).save_pretrained(bert_folder)
    with pytest.raises(
        InputError, match="BertModel comes without a masked-LM head, which cloze and the objectives mlm, tlm"
    ):
        run(load_encoder(bert_folder), tmp_path / "out", recipe(mlm=MlmOptions()))


def test_gradient_checkpointing_changes_memory_and_no_result(bert_folder, tmp_path):
    vectors, seen = [], []

    def on(encoder):
        return any(getattr(module, "gradient_checkpointing", False) for module in encoder.modules())

    class Watch(TrainerCallback):
        def on_step_end(self, args, state, control, *, model, **_):
            seen.append(on(model))

    for choice in (False, True):
        encoder = load_encoder(bert_folder)
        chosen = recipe(steps=4, train={"gradient_checkpointing": choice}, nt_xent=ContrastiveOptions())
        run(encoder, tmp_path / "out", chosen, callbacks=[Watch()])
        assert not on(encoder)  # the next stage decides for itself
        vectors.append(encoder.encode(words()))
    assert seen == [False] * 4 + [True] * 4
    assert np.abs(vectors[0] - vectors[1]).max() < 1e-5


def test_bf16_trains_float32_weights(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    run(encoder, tmp_path / "out", recipe(steps=120, train={"bf16": True}, nt_xent=ContrastiveOptions()))
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    assert p1(encoder)["P@1"] > 0.5
    exact = load_encoder(bert_folder)
    run(exact, tmp_path / "out", recipe(steps=120))
    difference = np.abs(exact.encode(words()) - encoder.encode(words())).max()
    assert difference > 1e-4  # the steps were in bfloat16


STARS = [("boat", "kahn"), ("skiff", "kahn"), ("Rowboat", "Kahn"), ("dinghy", "kahn"), ("house", "haus"),
         ("home", "haus"), ("dwelling", "haus"), ("building", "haus"), ("well", "brunnen"), ("fountain", "brunnen"),
         ("kahn", "boot"), ("chair", "stuhl"), ("bread", "brot"), ("haus", "heim")]  # fmt: skip


@pytest.mark.parametrize("repeat", [False, True])
def test_a_text_is_never_its_own_negative(repeat, bert_folder):
    """A dictionary with one target for several sources, each in a group of its own: perfect vectors lose nothing."""
    sources, targets = zip(*STARS, strict=True)
    n = len(STARS)
    codes = {"source_lang": ["eng_Latn"] * n, "target_lang": ["deu_Latn"] * n}
    pairs = table(n, source=sources, target=targets, **codes)
    encoder, chosen = load_encoder(bert_folder), recipe(nt_xent=ContrastiveOptions())
    store, size = build_store(pairs, encoder, max_tokens=16), 8 if repeat else 3
    stream = BatchStream(
        store.lengths, store.languages, store.groups, batch_size=size, total=60, seed=0, repeat_groups=repeat
    )
    batches = Batches(store, encoder, chosen)
    alike = 0
    for [(number, rows)] in stream:
        groups = batches[number, rows]["groups"].numpy()
        near = [{sources[row].lower(), targets[row].lower()} for row in rows]
        for i in range(len(rows)):
            for j in range(i):
                if near[i] & near[j]:
                    assert groups[i] == groups[j]
                    alike += 1
        vectors = torch.eye(n)[[int(np.flatnonzero(groups == group)[0]) for group in groups]]  # one for each meaning
        loss = nt_xent(vectors, vectors, temperature=0.01, groups=torch.from_numpy(groups))
        assert loss.item() < 1e-3
    assert (alike > 0) == repeat


def test_a_known_wrong_text_that_is_right_for_another_pair_is_no_negative_there(bert_folder):
    encoder = load_encoder(bert_folder)
    pairs = table(4, source=list("abcd"), target=list("efgh"), negative=["F", "x", "a", "x"])
    store = build_store(pairs, encoder, max_tokens=16, columns=["negative"])
    batch = Batches(store, encoder, recipe(multiple_negatives=MultipleNegativesOptions()))[(0, np.arange(4))]
    groups, wrong = batch["groups"].tolist(), batch["negative_groups"].tolist()
    assert len(set(groups)) == 4
    assert wrong[0] == groups[1]  # f, the target of b
    assert wrong[2] == groups[0]  # a, the source of e
    assert wrong[1] == wrong[3] not in groups
    assert torch.isfinite(Alignment(encoder, recipe(multiple_negatives=MultipleNegativesOptions()))(
        **{name: value for name, value in batch.items() if name != "rows"}
    )["multiple_negatives"])  # fmt: skip
