"""Recipes of several stages, mixed tables, and the objectives that need more than pairs."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from datasets import Dataset
from toy import N, greek, p1, quiet, table, words

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives import cosent, cosine_mse, distil, mlm, multiple_negatives, softmax_nli, unexplained
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.distillation.distil import DistilOptions
from align.objectives.graded import GradedOptions
from align.objectives.mlm import MlmOptions
from align.objectives.multiple_negatives import MultipleNegativesOptions
from align.objectives.objective import PlainOptions
from align.objectives.tlm import TlmOptions
from align.training.batches import Batches
from align.training.config import load_recipe
from align.training.inputs import columns
from align.training.options import MatryoshkaOptions, TrainOptions
from align.training.recipe import Recipe
from align.training.step import Alignment
from align.training.store import build_store
from align.training.summary import summary, summary_line
from align.training.train import train
from align.training.trainable import set_trainable


def scored(n=N):
    return table(n, score=[i % 5 / 4 for i in range(n)])


def triplets(n=N, **columns):
    return table(n, negative=words(n, seed=1), **columns)


def labelled(n=N):
    return table(n, label=[("contradiction", "entailment", "neutral")[i % 3] for i in range(n)])


def options(**changes):
    return TrainOptions(**({"steps": 4, "batch_size": 16, "learning_rate": 1e-2, "warmup": 0.0} | changes))


def two_stages(**changes):
    return Recipe(stages=(
        Recipe(name="nli", pairs=("nli",), multiple_negatives=MultipleNegativesOptions(), train=options(**changes)),
        Recipe(name="sts", pairs=("sts",), cosine_mse=PlainOptions(), train=options(steps=6, **changes)),
    ))  # fmt: skip


def batch_of(encoder, recipe, pairs, rows):
    store = build_store(pairs, encoder, max_tokens=32, columns=columns(recipe.needs))
    module = Alignment(encoder, recipe, classes=len(store.label_names)).eval()
    batch = Batches(store, encoder, recipe)[(0, np.asarray(rows))]
    del batch["rows"]
    return module, batch


def test_stages_run_one_after_the_other(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    tables = {"nli": triplets(), "sts": scored(), "spare": table()}
    facts = train(encoder, tables, two_stages(), tmp_path / "out", progress=False)
    assert [stage["name"] for stage in facts["stages"]] == ["nli", "sts"]
    assert [stage["negatives"] for stage in facts["stages"]] == [31, 0]
    assert facts["stages"][1]["tables"] == {"sts": {"rows": N, "passes": 1.0}}
    alone = load_encoder(bert_folder)
    train(alone, tables["nli"], Recipe(
        multiple_negatives=MultipleNegativesOptions(), train=options()), tmp_path / "one", progress=False)  # fmt: skip
    train(alone, tables["sts"], Recipe(cosine_mse=PlainOptions(), train=options(steps=6)), tmp_path / "two",
          progress=False)  # fmt: skip
    assert np.abs(alone.encode(words()) - encoder.encode(words())).max() < 1e-6
    saved = json.loads((tmp_path / "out" / "align.json").read_text())
    assert [stage["name"] for stage in saved["recipe"]["stages"]] == ["nli", "sts"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "Stage nli: trained on 96 pairs in 1 languages" in card
    assert "Stage sts: trained on 96 pairs" in card


def test_a_staged_run_resumes_in_its_second_stage(bert_folder, tmp_path):
    tables = {"nli": triplets(), "sts": scored()}
    whole = load_encoder(bert_folder)
    chosen = two_stages(save_every=2)
    summary = train(whole, tables, chosen, tmp_path / "whole", progress=False)
    work = tmp_path / "whole.checkpoints"
    shutil.copytree(work, tmp_path / "cut.checkpoints")
    shutil.rmtree(tmp_path / "cut.checkpoints" / "2-sts" / "checkpoint-6")
    shutil.rmtree(tmp_path / "cut.checkpoints" / "2-sts" / "finished")
    again = load_encoder(bert_folder)
    facts = train(again, tables, chosen, tmp_path / "cut", resume=True, progress=False)
    assert np.array_equal(again.encode(words()), whole.encode(words()))
    assert facts == summary
    shutil.rmtree(tmp_path / "cut.checkpoints" / "2-sts")  # killed before the second stage's first checkpoint
    again = load_encoder(bert_folder)
    train(again, tables, chosen, tmp_path / "cut", resume=True, progress=False)
    assert np.array_equal(again.encode(words()), whole.encode(words()))
    with pytest.raises(InputError, match=r"recipe.stages.0.train.save_every was 2, now it is 3"):
        train(again, tables, two_stages(save_every=3), tmp_path / "cut", resume=True, progress=False)
    with pytest.raises(InputError, match="nothing to resume from: no stage in .*; train without --resume"):
        train(again, tables, chosen, tmp_path / "new", resume=True, progress=False)


def test_each_objective_gets_its_vectors_and_columns(bert_folder):
    encoder = quiet(load_encoder(bert_folder))
    pairs = triplets(score=[i % 5 / 4 for i in range(N)], label=["ab"[i % 2] for i in range(N)])
    rows = [0, 5, 6, 7]
    recipe = Recipe(
        multiple_negatives=MultipleNegativesOptions(weight=2.0), cosine_mse=PlainOptions(weight=3.0),
        cosent=GradedOptions(temperature=0.3), softmax_nli=PlainOptions(weight=0.5),
    )  # fmt: skip
    module, batch = batch_of(encoder, recipe, pairs, rows)
    terms = module(**batch)
    a, b, c = (
        torch.from_numpy(encoder.encode([pairs[name][r] for r in rows], raw=True))
        for name in ("source", "target", "negative")
    )
    score = torch.tensor([pairs["score"][r] for r in rows])
    label = torch.tensor(["ab".index(pairs["label"][r]) for r in rows])
    expected = {
        "multiple_negatives": multiple_negatives(a, b, c), "cosine_mse": cosine_mse(a, b, score),
        "cosent": cosent(a, b, score, temperature=0.3),
        "softmax_nli": softmax_nli(a, b, label, module.learned["softmax_nli"]),
    }  # fmt: skip
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value.item(), rel=1e-4), name
    weights = {"multiple_negatives": 2.0, "cosine_mse": 3.0, "cosent": 1.0, "softmax_nli": 0.5}
    assert terms["loss"].item() == pytest.approx(sum(weights[n] * v.item() for n, v in expected.items()), rel=1e-4)
    shorter = Recipe(
        multiple_negatives=MultipleNegativesOptions(hard_negatives=False),
        matryoshka=MatryoshkaOptions(dimensions=(4, 16), weights=(1.0, 2.0)),
    )  # fmt: skip
    module, batch = batch_of(encoder, shorter, pairs, rows)
    value = multiple_negatives(a[:, :4], b[:, :4]) + 2 * multiple_negatives(a, b)
    assert module(**batch)["loss"].item() == pytest.approx(value.item(), rel=1e-4)


def test_tlm_predicts_from_both_texts(bert_folder):
    encoder = quiet(load_encoder(bert_folder))
    recipe = Recipe(tlm=TlmOptions(weight=3.0, rate=0.5), train=options(max_tokens=32))
    module, batch = batch_of(encoder, recipe, table(), range(8))
    assert "ids" not in batch  # nothing else to encode
    joint = batch["joint"]
    terms = module(**batch)
    out = encoder.model(joint["ids"], attention_mask=joint["attention"])
    states = encoder.model.bert(joint["ids"], attention_mask=joint["attention"]).last_hidden_state
    expected = torch.nn.functional.cross_entropy(out.logits.flatten(0, 1), joint["labels"].flatten())
    assert terms["tlm"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert terms["loss"].item() == pytest.approx(3 * expected.item(), rel=1e-5)
    assert mlm(states, joint["labels"], module.head).item() == pytest.approx(expected.item(), rel=1e-5)
    restart = Recipe(tlm=TlmOptions(rate=0.5, restart_positions=True), train=options(max_tokens=32))
    module, batch = batch_of(encoder, restart, table(), range(8))
    joint = batch["joint"]
    assert (joint["positions"] == 0).sum(dim=1).min() >= 2
    out = encoder.model(joint["ids"], attention_mask=joint["attention"], position_ids=joint["positions"])
    expected = torch.nn.functional.cross_entropy(out.logits.flatten(0, 1), joint["labels"].flatten())
    assert module(**batch)["tlm"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_types_and_positions_reach_a_roberta(tmp_path, bert_folder):
    from transformers import AutoTokenizer, RobertaConfig, RobertaForMaskedLM

    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=56, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=66, pad_token_id=0, type_vocab_size=2, initializer_range=0.2,
    )  # fmt: skip
    RobertaForMaskedLM(config).save_pretrained(tmp_path / "r")
    AutoTokenizer.from_pretrained(bert_folder).save_pretrained(tmp_path / "r")
    encoder = quiet(load_encoder(tmp_path / "r"))
    ids, attention = encoder.pad(encoder.tokenize(["abc", "xyz"]))
    plain = encoder.hidden(ids, attention).last
    positions = torch.arange(ids.shape[1]).expand_as(ids)
    assert torch.allclose(encoder.hidden(ids, attention, positions=positions).last, plain, atol=1e-6)
    assert not torch.allclose(encoder.hidden(ids, attention, positions=positions.flip(1)).last, plain, atol=1e-3)
    assert torch.allclose(encoder.hidden(ids, attention, types=torch.zeros_like(ids)).last, plain, atol=1e-6)
    assert not torch.allclose(encoder.hidden(ids, attention, types=torch.ones_like(ids)).last, plain, atol=1e-3)


@pytest.mark.parametrize("width", [16, 8])
def test_a_student_learns_its_teacher(bert_folder, tmp_path, width):
    torch.manual_seed(0)
    student, teacher = load_encoder(bert_folder), load_encoder(bert_folder)
    rotation = torch.linalg.qr(torch.randn(16, 16))[0][:width].numpy()

    class Rotated:
        dimension = width

        def encode(self, texts, **_):
            return teacher.encode(texts, raw=True) @ rotation.T

    recipe = Recipe(distil=DistilOptions(), train=options(steps=150, schedule="constant", log_every=10))
    facts = train(student, table(), recipe, tmp_path / "out", teacher=Rotated(), progress=False)
    first, last = facts["losses"][0]["unexplained"], facts["losses"][-1]["unexplained"]
    assert last < 0.5 * first
    assert last < 0.6
    if width == 16:  # no projection between: the vectors themselves are the teacher's
        expected = torch.from_numpy(Rotated().encode(greek(words())))
        both = [torch.from_numpy(student.encode(side, raw=True)) for side in (greek(words()), words())]
        assert all(unexplained(side, expected) < 0.6 for side in both)
        assert distil(both[0], both[1], expected).item() < facts["losses"][0]["distil"]
        assert p1(student)["P@1"] > 0.3


def test_softmax_head_is_trained_and_left_behind(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    recipe = Recipe(softmax_nli=PlainOptions(), train=options(steps=40, log_every=10))
    facts = train(encoder, labelled(), recipe, tmp_path / "out", progress=False)
    assert facts["losses"][-1]["softmax_nli"] < facts["losses"][0]["softmax_nli"]
    assert not any("classifier" in name for name, _ in encoder.named_parameters())


@pytest.mark.parametrize("words", [True, False])
def test_frozen_blocks_stay_as_they_are(bert_folder, tmp_path, words):
    encoder = load_encoder(bert_folder)
    before = {name: p.detach().clone() for name, p in encoder.named_parameters()}
    recipe = Recipe(info_nce=ContrastiveOptions(), train=options(freeze_blocks=1, freeze_embeddings=words))
    train(encoder, table(), recipe, tmp_path / "out", progress=False)
    moved = {name for name, p in encoder.named_parameters() if not torch.equal(p, before[name])}
    below = {name for name in moved if "layer.0." in name or ".embeddings." in name}
    assert below == (set() if words else {"model.bert.embeddings.word_embeddings.weight"})
    assert any("layer.1." in name for name in moved)
    everything = set_trainable(Alignment(encoder, Recipe(info_nce=ContrastiveOptions())))
    assert everything > set_trainable(Alignment(encoder, recipe))


def test_a_head_is_trained_while_the_vectors_stay(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    before, head = encoder.encode(["ab", "gd"]), encoder.model.cls.predictions.transform.dense.weight.detach().clone()
    recipe = Recipe(mlm=MlmOptions(), train=options(freeze_blocks=2, freeze_embeddings=True, learning_rate=1e-2))
    train(encoder, table(), recipe, tmp_path / "out", progress=False)
    np.testing.assert_array_equal(encoder.encode(["ab", "gd"]), before)
    assert not torch.equal(encoder.model.cls.predictions.transform.dense.weight, head)


def test_uniform_mixing_visits_a_small_table_more_often_and_says_so(bert_folder, tmp_path, caplog):
    caplog.set_level("INFO")
    tables = {"small": table(24), "large": table(96, group_id=[f"x{i}" for i in range(96)])}
    recipe = Recipe(info_nce=ContrastiveOptions(), train=options(steps=30, batch_size=8, mixing="uniform"))
    facts = train(load_encoder(bert_folder), tables, recipe, tmp_path / "out", progress=False)
    passes = {name: about["passes"] for name, about in facts["tables"].items()}
    assert passes["small"] * 24 + passes["large"] * 96 == pytest.approx(240, abs=0.1)
    assert passes["small"] * 24 == pytest.approx(120, abs=16)
    assert f"passes: small {passes['small']:.2g}x, large {passes['large']:.2g}x" in caplog.text


def test_the_summary_counts_languages_and_what_is_never_drawn(bert_folder):
    recipe = Recipe(info_nce=ContrastiveOptions(), train=options(steps=1, batch_size=8))
    pairs = table(12, source_lang=["ell_Grek"] * 6 + ["grc_Grek"] * 4 + ["gmy_Grek"] * 2)
    store = build_store({"pairs": pairs}, load_encoder(bert_folder), max_tokens=32)
    drawn = np.array([2, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0])
    facts = summary(store, recipe, drawn, trained=1, processes=1)
    assert facts["source_languages"] == {
        "ell_Grek": {"rows": 6, "passes": 1.0}, "gmy_Grek": {"rows": 2, "passes": 0.0},
        "grc_Grek": {"rows": 4, "passes": 0.5},
    }  # fmt: skip
    assert facts["never_drawn"] == {"pairs": 5, "languages": ["gmy_Grek"]}
    assert summary_line(facts).endswith("passes: pairs 0.67x; never drawn: 5 pairs, all of gmy_Grek among them")
    assert summary_line(summary(store, recipe, drawn + 1, trained=1, processes=1)).endswith("passes: pairs 1.7x")


def test_messages_come_before_any_step(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    before = encoder.encode(words())
    out = tmp_path / "out"

    def refused(pairs, recipe, sentence, **more):
        with pytest.raises(InputError, match=sentence):
            train(encoder, pairs, recipe, out, progress=False, **more)
        assert not out.exists()
        assert np.array_equal(encoder.encode(words()), before)

    refused({"nli": triplets()}, two_stages(), "the stage 'sts' draws from the pairs 'sts'; given are nli")
    refused({"nli": table(), "sts": scored()}, two_stages(), "the table 'nli' lacks the column negative, which an")
    refused(
        {"nli": triplets(), "sts": table()}, two_stages(), "'sts' lacks the column score, .* align pairs sts writes"
    )
    holes = triplets().to_dict() | {"negative": [None if i == 6 else "x" for i in range(N)]}
    refused({"nli": Dataset.from_dict(holes), "sts": scored()}, two_stages(), "'nli', row 7: negative is empty")
    wrong = scored().to_dict() | {"score": [4.5 if i == 2 else 0.5 for i in range(N)]}
    refused(
        {"nli": triplets(), "sts": Dataset.from_dict(wrong)},
        two_stages(),
        r"row 3: expected a score in 0\.\.1, got 4.5",
    )
    refused(table(), Recipe(distil=DistilOptions()), "the recipe distils, but no teacher was given")
    refused(
        table(), Recipe(info_nce=ContrastiveOptions(), train=options(freeze_blocks=3)),
        "train.freeze_blocks is 3, the encoder has 2 blocks",
    )  # fmt: skip
    refused(
        table(), Recipe(info_nce=ContrastiveOptions(), matryoshka=MatryoshkaOptions(dimensions=(32,))),
        "matryoshka.dimensions asks for 32, the vectors have 16",
    )  # fmt: skip


def test_staged_recipes_from_a_file(tmp_path):
    recipe = load_recipe("indicsbert", changes=["nli.train.steps=7", "sts.cosine_mse.weight=2"])
    nli, sts = recipe.stages
    assert (nli.name, nli.train.steps, nli.pairs) == ("nli", 7, ("nli",))
    assert sts.cosine_mse == PlainOptions(weight=2.0)
    assert columns(nli.needs) == ["negative"]
    assert columns(sts.needs) == ["score"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[[stages]]\nname = "a"\n', "the stage 'a' trains nothing: expected one of barlow_twins, nt_xent"),
        ("[[stages]]\n[stages.cosent]\n", r"every stage needs a name of its own, got \[''\]"),
        ('[mlm]\n[[stages]]\nname = "a"\n[stages.cosent]\n', r"has its objectives inside them, got \['mlm'\]"),
        ('[[stages]]\nname = "a"\n[stages.cosent]\n[stages.encoder]\nlayer = 1\n', r"one \[encoder\].*, got 'a'"),
        ("[cosent]\n[matryoshka]\ndimensions = [0]\n", r"matryoshka.dimensions\[0\] must be at least 1, got 0"),
        ('[cosent]\n[matryoshka]\ndimensions = [4, "x"]\n', r"matryoshka.dimensions\[1\] must be int, got 'x'"),
        ("[cosent]\n[matryoshka]\ndimensions = 4\n", "matryoshka.dimensions must be a list of int, got 4"),
        ("[cosent]\ntemperature = 0\n", "cosent.temperature must be positive, got 0.0"),
        ("[tlm]\nrate = 0\n", "tlm.rate must be in 0..1, and not 0, got 0.0"),
        ('[cosent]\n[train]\nmixing = "even"\n', "train.mixing must be proportional or uniform, got 'even'"),
    ],
)
def test_messages_of_recipes(tmp_path, text, sentence):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(InputError, match=sentence):
        load_recipe(tmp_path / "mine.toml")
