from __future__ import annotations

import json
import shutil
import sys
import warnings

import numpy as np
import pytest
import torch
from toy import table, words
from transformers import AutoModel, AutoTokenizer, DistilBertConfig, DistilBertModel, ModernBertConfig, ModernBertModel

from align.encoders.checkpoint import load_encoder
from align.errors import InputError
from align.objectives.contrastive import ContrastiveOptions
from align.objectives.mlm import MlmOptions
from align.objectives.multiple_negatives import MultipleNegativesOptions
from align.training.adapters.lora import adapted_modules
from align.training.config import as_table, load_recipe
from align.training.options import LoraOptions, TrainOptions
from align.training.recipe import Recipe
from align.training.train import train

pytest.importorskip("peft")


def recipe(lora=None, *, steps=6, train=None, **parts):
    options = {"steps": steps, "batch_size": 16, "learning_rate": 1e-2, "warmup": 0.0} | (train or {})
    parts = parts or {"nt_xent": ContrastiveOptions()}
    return Recipe(lora=lora or LoraOptions(rank=4), train=TrainOptions(**options), **parts)


def run(encoder, out, chosen=None, **options):
    return train(encoder, table(), chosen or recipe(), out, progress=False, **options)


def with_peft(folder, adapter):
    """The starting encoder with the adapter on it, as peft alone loads it, and the vectors of its mean pooling."""
    from peft import PeftModel

    model = AutoModel.from_pretrained(folder).eval()
    with warnings.catch_warnings():  # peft asks transformers for an attribute that it is about to lose
        warnings.simplefilter("ignore", FutureWarning)
        model = PeftModel.from_pretrained(model, str(adapter)).eval()
    encoder = load_encoder(folder)
    encoder.model = model.base_model.model
    return encoder


def changes(start, encoder):
    return {n: p - q for (n, p), q in zip(encoder.named_parameters(), start.parameters(), strict=True)}


@pytest.mark.parametrize("options", [
    LoraOptions(rank=3, alpha=7.0, dropout=0.1, rslora=True), LoraOptions(rank=2, dora=True),
])  # fmt: skip
def test_the_adapter_on_the_starting_encoder_gives_the_merged_vectors(bert_folder, tmp_path, options):
    encoder = load_encoder(bert_folder)
    before = encoder.encode(words())
    run(encoder, tmp_path / "out", recipe(options))
    vectors = encoder.encode(words())
    assert np.abs(vectors - before).max() > 1e-2
    assert np.abs(load_encoder(tmp_path / "out").encode(words()) - vectors).max() < 1e-6
    again = with_peft(bert_folder, tmp_path / "out" / "adapter")
    assert np.abs(again.encode(words()) - vectors).max() < 1e-5
    config = json.loads((tmp_path / "out" / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(bert_folder)
    assert config["inference_mode"] is True
    assert not any("lora" in name for name in encoder.state_dict())
    assert all(p.requires_grad for p in encoder.parameters())


def test_only_the_adapted_weights_change_and_by_the_product(bert_folder, tmp_path):
    from safetensors.torch import load_file

    encoder = load_encoder(bert_folder)
    facts = run(encoder, tmp_path / "out", recipe(LoraOptions(rank=2, alpha=6.0)))
    moved = {name: change for name, change in changes(load_encoder(bert_folder), encoder).items() if change.any()}
    assert sorted(moved) == [
        f"model.bert.encoder.layer.{i}.attention.self.{name}.weight" for i in (0, 1) for name in ("query", "value")
    ]
    weights = load_file(tmp_path / "out" / "adapter" / "adapter_model.safetensors")
    assert len(weights) == 8
    for name, change in moved.items():
        module = name.replace("model.bert.", "base_model.model.").removesuffix(".weight")
        product = weights[f"{module}.lora_B.weight"] @ weights[f"{module}.lora_A.weight"]
        assert torch.allclose(change, 3.0 * product, atol=1e-6)  # alpha / rank
    assert facts["trainable_parameters"] == 4 * 2 * (16 + 16)


def test_what_the_objectives_learn_is_trained_beside_it(bert_folder, tmp_path):
    learnt = recipe(nt_xent=ContrastiveOptions(learn_temperature=True), mlm=MlmOptions())
    encoder = load_encoder(bert_folder)
    facts = run(encoder, tmp_path / "out", learnt)
    assert facts["trainable_parameters"] == 4 * 4 * (16 + 16) + 1
    moved = {name for name, change in changes(load_encoder(bert_folder), encoder).items() if change.any()}
    assert all("query" in name or "value" in name for name in moved)  # not the masked-LM head


@pytest.mark.parametrize(("layer", "freeze", "mlm", "expected"), [
    (1, 0, None, [0]), (2, 1, None, [1]), (1, 0, MlmOptions(), [0, 1]),
])  # fmt: skip
def test_adapters_are_in_the_blocks_that_are_trained(bert_folder, tmp_path, layer, freeze, mlm, expected):
    encoder = load_encoder(bert_folder, layer=layer)
    chosen = recipe(nt_xent=ContrastiveOptions(), mlm=mlm, train={"freeze_blocks": freeze})
    run(encoder, tmp_path / "out", chosen)
    config = json.loads((tmp_path / "out" / "adapter" / "adapter_config.json").read_text())
    names = [f"encoder.layer.{i}.attention.self.{name}" for i in expected for name in ("query", "value")]
    assert config["target_modules"] == names
    again = with_peft(bert_folder, tmp_path / "out" / "adapter")
    again.pooling = encoder.pooling
    assert np.abs(again.encode(words()) - encoder.encode(words())).max() < 1e-5


def test_resume_is_exact(bert_folder, tmp_path):
    chosen = recipe(
        LoraOptions(rank=4, dropout=0.2), steps=8, train={"save_every": 4},
        nt_xent=ContrastiveOptions(learn_temperature=True),
    )  # fmt: skip
    whole = load_encoder(bert_folder)
    run(whole, tmp_path / "whole", chosen)
    shutil.copytree(tmp_path / "whole.checkpoints", tmp_path / "cut.checkpoints")
    shutil.rmtree(tmp_path / "cut.checkpoints" / "checkpoint-8")
    again = load_encoder(bert_folder)
    run(again, tmp_path / "cut", chosen, resume=True)
    assert all(torch.equal(p, q) for p, q in zip(again.parameters(), whole.parameters(), strict=True))
    both = [(tmp_path / name / "adapter" / "adapter_model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert both[0] == both[1]


def two_stages(lora=LoraOptions(rank=4), **changes):  # noqa: B008
    options = TrainOptions(steps=4, batch_size=16, learning_rate=1e-2, warmup=0.0, **changes)
    return Recipe(stages=(
        Recipe(name="first", nt_xent=ContrastiveOptions(), lora=lora, train=options),
        Recipe(name="second", multiple_negatives=MultipleNegativesOptions(hard_negatives=False), lora=lora,
               train=options),
    ))  # fmt: skip


def test_each_stage_starts_from_the_merged_model(bert_folder, tmp_path):
    encoder = load_encoder(bert_folder)
    run(encoder, tmp_path / "out", two_stages())
    once = with_peft(bert_folder, tmp_path / "out" / "adapter" / "first")
    for module in list(once.model.modules()):
        if hasattr(module, "merge"):
            module.merge()
    first, second = two_stages().stages
    merged = load_encoder(bert_folder)
    run(merged, tmp_path / "one", Recipe(nt_xent=first.nt_xent, lora=first.lora, train=first.train))
    assert np.abs(merged.encode(words()) - once.encode(words())).max() < 1e-5
    run(merged, tmp_path / "two", Recipe(multiple_negatives=second.multiple_negatives, lora=second.lora,
                                         train=second.train))  # fmt: skip
    assert np.abs(merged.encode(words()) - encoder.encode(words())).max() < 1e-5
    config = json.loads((tmp_path / "out" / "adapter" / "second" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None  # it belongs on the merged first stage
    config = json.loads((tmp_path / "two" / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tmp_path / "one")  # not what was loaded before that run


def test_a_finished_stage_keeps_its_adapter_over_a_resume(bert_folder, tmp_path):
    whole = load_encoder(bert_folder)
    summary = run(whole, tmp_path / "whole", two_stages(save_every=2))
    shutil.copytree(tmp_path / "whole.checkpoints", tmp_path / "cut.checkpoints")
    shutil.rmtree(tmp_path / "cut.checkpoints" / "2-second")
    again = load_encoder(bert_folder)
    facts = run(again, tmp_path / "cut", two_stages(save_every=2), resume=True)
    assert facts == summary
    assert np.array_equal(again.encode(words()), whole.encode(words()))
    for name in ("first/adapter_model.safetensors", "first/adapter_config.json", "second/adapter_model.safetensors"):
        assert (tmp_path / "cut/adapter" / name).read_bytes() == (tmp_path / "whole/adapter" / name).read_bytes()


def test_interpolation_scales_the_change_and_the_adapter(bert_folder, tmp_path):
    whole, part = load_encoder(bert_folder), load_encoder(bert_folder)
    run(whole, tmp_path / "whole")
    torch.manual_seed(99)  # the adapter starts from the recipe's seed
    run(part, tmp_path / "part", recipe(train={"interpolate": 0.25}))
    start = load_encoder(bert_folder)
    for (name, a), b in zip(changes(start, whole).items(), changes(start, part).values(), strict=True):
        assert torch.allclose(0.25 * a, b, atol=1e-6), name
    again = with_peft(bert_folder, tmp_path / "part" / "adapter")
    assert np.abs(again.encode(words()) - part.encode(words())).max() < 1e-5


def test_the_best_evaluation_is_what_is_merged(bert_folder, tmp_path):
    seen = []

    def evaluator(encoder):
        seen.append(encoder.encode(words()))
        return {"score": [0.9, 0.1][len(seen) - 1]}

    encoder = load_encoder(bert_folder)
    chosen = recipe(steps=4, train={"evaluate_every": 2})
    run(encoder, tmp_path / "out", chosen, evaluators={"dev": evaluator}, best="dev/score")
    assert np.abs(encoder.encode(words()) - seen[0]).max() < 1e-5
    assert np.abs(seen[0] - seen[1]).max() > 1e-3


def test_gradient_checkpointing_changes_no_result(bert_folder, tmp_path):
    vectors = []
    for choice in (False, True):
        encoder = load_encoder(bert_folder, average_layers=True)
        run(encoder, tmp_path / "out", recipe(train={"gradient_checkpointing": choice}))
        vectors.append(encoder.encode(words()))
    assert np.abs(vectors[0] - vectors[1]).max() < 1e-5


def test_an_interrupted_run_leaves_no_adapter_behind(bert_folder, tmp_path, monkeypatch):
    encoder = load_encoder(bert_folder)
    monkeypatch.setattr("align.training.trainer.AlignTrainer.train", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(encoder, tmp_path / "out")
    assert encoder.identity() == load_encoder(bert_folder).identity()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("kind", "names"), [
    ("distilbert", ["attention.q_lin", "attention.v_lin"]), ("modernbert", ["attn.Wqkv"]),
])  # fmt: skip
def test_other_families(kind, names, bert_folder, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(bert_folder)
    torch.manual_seed(0)
    if kind == "distilbert":
        model = DistilBertModel(DistilBertConfig(vocab_size=56, dim=16, n_layers=2, n_heads=2, hidden_dim=32))
        paths = [f"transformer.layer.{i}.{name}" for i in (0, 1) for name in names]
    else:
        model = ModernBertModel(ModernBertConfig(
            vocab_size=56, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            pad_token_id=0, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3))  # fmt: skip
        paths = [f"layers.{i}.{name}" for i in (0, 1) for name in names]
    model.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    encoder = load_encoder(tmp_path / "m")
    assert adapted_modules(encoder, recipe()) == paths
    run(encoder, tmp_path / "out", recipe(steps=2))
    again = with_peft(tmp_path / "m", tmp_path / "out" / "adapter")
    assert np.abs(again.encode(words()) - encoder.encode(words())).max() < 1e-5


def test_targets_by_the_ends_of_their_names(bert_folder):
    encoder = load_encoder(bert_folder)
    assert adapted_modules(encoder, recipe(LoraOptions(targets=("output.dense", "key")))) == [
        f"encoder.layer.{i}.{name}" for i in (0, 1)
        for name in ("attention.self.key", "attention.output.dense", "output.dense")
    ]  # fmt: skip


def test_from_toml(tmp_path):
    (tmp_path / "r.toml").write_text('[nt_xent]\n[lora]\nrank = 4\ntargets = ["query", "key"]\n')
    chosen = load_recipe(tmp_path / "r.toml", changes=["lora.alpha=8", "encoder.average_layers=true"])
    assert chosen.lora == LoraOptions(rank=4, alpha=8.0, targets=("query", "key"))
    assert chosen.encoder.average_layers is True
    assert as_table(chosen)["lora"]["targets"] == ["query", "key"]


def test_messages(bert_folder, tmp_path, monkeypatch):
    encoder = load_encoder(bert_folder)
    with pytest.raises(InputError, match=(
        "lora.targets: no module is called 'q_proj'; a block has attention.self.query, attention.self.key, "
        "attention.self.value, attention.output.dense, intermediate.dense, output.dense$"
    )):  # fmt: skip
        run(encoder, tmp_path / "out", recipe(LoraOptions(targets=("query", "q_proj"))))
    with pytest.raises(InputError, match="lora has no block to adapt: 2 are used, the lowest 2 frozen"):
        run(encoder, tmp_path / "out", recipe(train={"freeze_blocks": 2}))
    for wrong, sentence in [
        ({"rank": 0}, "lora.rank must be at least 1, got 0"), ({"alpha": 0.0}, "lora.alpha must be positive, got 0.0"),
        ({"dropout": 1.0}, "lora.dropout must be in 0..1, and not 1, got 1.0"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=sentence):
            LoraOptions(**wrong)
    with pytest.raises(InputError, match="lora.dora needs train.interpolate = 1, got 0.5"):
        recipe(LoraOptions(dora=True), train={"interpolate": 0.5})
    with pytest.raises(InputError, match=r"has its objectives inside them, got \['lora'\]"):
        Recipe(lora=LoraOptions(), stages=two_stages().stages)
    for layer in encoder.model.bert.encoder.layer:
        layer.attention.self.value = torch.nn.Identity()
    with pytest.raises(InputError, match="lora.targets is needed for this model: the linear modules of a block are"):
        adapted_modules(encoder, recipe())
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(InputError, match=r"lora needs peft: pip install 'align-encoders\[lora\]'"):
        run(encoder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recipe_without_lora_needs_no_peft(bert_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    run(load_encoder(bert_folder), tmp_path / "out", Recipe(nt_xent=ContrastiveOptions(), train=recipe().train))
    assert not (tmp_path / "out" / "adapter").exists()
