from __future__ import annotations

import dataclasses

import pytest

from align.errors import InputError
from align.objectives.anchor import AnchorOptions
from align.training.config import as_table, explain, field_help, load_recipe, objectives_table, recipes, sections
from align.training.recipe import Recipe


@pytest.mark.parametrize("name", recipes())
def test_every_shipped_recipe_loads(name):
    recipe = load_recipe(name)
    assert all(stage.objectives for stage in recipe.stages or (recipe,))


def test_translico_is_as_its_code_runs():
    recipe = load_recipe("translico")
    assert (recipe.encoder.layer, recipe.encoder.pooling, recipe.encoder.special_tokens) == (8, "mean", False)
    assert recipe.nt_xent is not None
    assert (recipe.nt_xent.weight, recipe.nt_xent.temperature, recipe.nt_xent.cosine) == (0.25, 1.0, False)
    assert recipe.mlm is not None
    assert (recipe.mlm.weight, recipe.mlm.rate) == (1.0, 0.15)
    assert recipe.train.batch_size * recipe.train.accumulate * 4 == 768


def test_changes_and_round_trip(tmp_path):
    recipe = load_recipe(
        "translico", changes=["train.steps=7", "train.schedule=cosine", "mlm.rate=1", "anchor.source=2"]
    )
    assert (recipe.train.steps, recipe.train.schedule, recipe.mlm.rate) == (7, "cosine", 1.0)
    assert recipe.anchor == AnchorOptions(source=2.0)
    table = as_table(recipe)
    assert table["train"]["steps"] == 7
    assert "info_nce" not in table


@pytest.mark.parametrize(("text", "value"), [(".1", 0.1), ("1.", 1.0), (".25", 0.25), ("0.5", 0.5), ("+.5e-1", 0.05)])
def test_numbers_with_a_bare_point(text, value):
    assert load_recipe("translico", changes=[f"train.warmup={text}"]).train.warmup == value


def test_a_recipe_from_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[info_nce]\ntemperature = 0.1\n")
    assert load_recipe(path).info_nce.temperature == 0.1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("train.stepz=5", "recipe translico: unknown key train.stepz; did you mean train.steps?"),
        ("nt_xnet.weight=1", "unknown key nt_xnet; did you mean nt_xent?"),
        ("qqq.weight=1", "unknown key qqq; known are encoder, name, pairs, barlow_twins, nt_xent"),
        ("train.steps=true", "train.steps must be int, got True"),
        ("train.steps=1.5", "train.steps must be int, got 1.5"),
        ("train.bf16=1", "train.bf16 must be bool, got 1"),
        ("train=5", "train must be table, got 5"),
        ("train.steps", "expected a change such as train.steps=100, got 'train.steps'"),
        ("mlm.rate.x=1", "goes through rate, which is a value and no table"),
        ("train.steps=0", "train.steps must be at least 1, got 0"),
        ("train.schedule=lin", "train.schedule must be linear, cosine or constant, got 'lin'"),
        ("train.warmup=2", "train.warmup must be in 0..1, got 2.0"),
        ("train.learning_rate=0", "train.learning_rate must be positive"),
        ("nt_xent.temperature=-1", "nt_xent.temperature must be positive, got -1.0"),
        ("nt_xent.temperature=nan", "nt_xent.temperature must be positive, got nan"),
        ("nt_xent.bank=5", "nt_xent has no use for a bank"),
        ("info_nce.bank=5", "info_nce.bank needs info_nce.frozen"),
        ("anchor.rehearsal_size=2", "anchor needs a positive source, target or rehearsal, got (0.0, 0.0, 0.0)"),
        ("mlm.rate=0", "mlm.rate must be in 0..1, and not 0"),
    ],
)
def test_messages(change, sentence):
    with pytest.raises(InputError) as caught:
        load_recipe("translico", changes=[change])
    assert sentence in str(caught.value)


def test_messages_of_files(tmp_path):
    with pytest.raises(InputError, match=r"no recipe 'translic': expected a .toml file or one of .*translico"):
        load_recipe("translic")
    with pytest.raises(InputError, match="no such file: .*x.toml"):
        load_recipe(tmp_path / "x.toml")
    (tmp_path / "bad.toml").write_text("[train\n")
    with pytest.raises(InputError, match=r"bad.toml is not valid TOML: .*line 1"):
        load_recipe(tmp_path / "bad.toml")
    with pytest.raises(InputError, match="the recipe trains nothing"):
        Recipe()


def test_what_a_recipe_needs():
    assert "start" not in load_recipe("translico").needs
    assert "source" in load_recipe("translico").needs
    frozen = load_recipe("translico", changes=["nt_xent.frozen=true"])
    assert "start" in frozen.needs
    assert "source" in frozen.needs  # for mlm
    frozen = dataclasses.replace(frozen, mlm=None)
    assert "source" not in frozen.needs
    assert "source" in dataclasses.replace(frozen, anchor=AnchorOptions(source=1)).needs


def test_every_option_is_documented():
    for kind in sections().values():
        assert set(field_help(kind)) == {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize("name", recipes())
def test_an_explained_recipe_is_the_recipe(name, tmp_path):
    (tmp_path / "again.toml").write_text(explain(load_recipe(name)), encoding="utf-8")
    assert load_recipe(tmp_path / "again.toml") == load_recipe(name)


def test_without_a_name_recipes_and_objectives_are_listed(align):
    shown = align("recipe").out
    assert "translico        nt_xent, mlm\n" in shown
    assert shown.endswith(objectives_table())


def test_what_an_explained_recipe_says():
    text = explain(load_recipe("ppa"))
    assert "learning_rate = 2e-05            # Peak learning rate of AdamW." in text
    assert "[nt_xent]" in text
    assert text.rstrip().splitlines()[-1].startswith("# not used here: barlow_twins, info_nce")


def test_a_setting_of_train_goes_to_all_stages():
    recipe = load_recipe("indicsbert", changes=["train.steps=3", "sts.train.seed=7", "encoder.pooling=cls"])
    assert [(stage.train.steps, stage.train.seed) for stage in recipe.stages] == [(3, 0), (3, 7)]
    assert [stage.train.batch_size for stage in recipe.stages] == [64, 32]  # the others are as they were
    assert recipe.encoder.pooling == "cls"
    recipe = load_recipe("indicsbert", changes=["sts.train.steps=7", "train.steps=3"])  # the last one holds
    assert [stage.train.steps for stage in recipe.stages] == [3, 3]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("multiple_negatives.weight=2", "expected one of nli, sts first (nli.multiple_negatives.weight=...), or train"),
        ("matryoshka.dimensions=[8]", "names no stage: expected one of nli, sts first (nli.matryoshka.dimensions=..."),
        ("trian.steps=3", "'trian.steps=3' names no stage: expected one of nli, sts first (nli.train.steps=...)"),
        ("pairs=[]", "names no stage"),
        ("name=x", "names no stage"),
        ("nli=3", "names no stage"),
        ("stages=[]", "names no stage"),
        ("train=3", "must be table, got 3"),
        ("train.stepz=3", "unknown key stages[0].train.stepz; did you mean stages[0].train.steps?"),
        ("nli.train.steps.x=3", "goes through steps, which is a value and no table"),
    ],
)
def test_a_setting_that_would_change_no_stage_is_refused(change, sentence):
    with pytest.raises(InputError) as caught:
        load_recipe("indicsbert", changes=[change])
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("recipe indicsbert: ")


def test_an_objective_that_a_change_adds_is_said(align, caplog):
    caplog.set_level("INFO")
    load_recipe("translation", changes=["info_nce.temperature=0.1", "train.steps=3"])
    assert caplog.text == ""
    load_recipe("translation", changes=["nt_xent.temperature=0.1", "lora.rank=2"])
    assert "a change adds nt_xent to the recipe translation, which does not have it" in caplog.text
    assert "a change adds lora to the recipe translation" in caplog.text
    caplog.clear()
    load_recipe("indicsbert", changes=["sts.cosent.weight=0.5", "sts.cosine_mse.weight=2"])
    assert [record.getMessage().split()[3] for record in caplog.records] == ["sts.cosent"]
    shown = align("recipe", "indicsbert", "--set", "sts.cosent.weight=0.5", "--set", "train.steps=3").out
    assert "# added by --set\n# An objective on the order of scores (STS).\n[stages.cosent]\nweight = 0.5 " in shown
    assert shown.count("# added by --set") == 1
    assert shown.count("\nsteps = 3 ") == 2
    shown = align("recipe", "translation", "--set", "nt_xent.temperature=0.1").out
    assert "# added by --set\n# A contrastive objective over the pairs of a batch.\n[nt_xent]\n" in shown
    assert "--set train.steps=3 changes no recipe" in align("recipe", "--set", "train.steps=3", code=2).err
