"""``--json``: what a verb says as a table, said as JSON."""

from __future__ import annotations

import json

import pytest
import typer

from align import cli
from align.cli.options.arguments import show
from align.files.whole import read_json
from align.tasks.task import tasks

SCORED = {
    "retrieval": "retrieval=verses",
    "xsim": "xsim=verses",
    "mexa": "mexa=verses",
    "layers": "retrieval=verses --layers all",
    "sts": "sts=sts.tsv",
    "classification": "classification=topics",
    "bli": "bli=ell_Grek-eng_Latn=words.tsv --set vocabulary=verses",
    "wordsim": "wordsim=eng_Latn=similar.tsv",
    "bias": "bias=verses",
    "identity": "identity=verses",
    "token_classification": "token_classification=labels --protocol pos",
    "topic": "topic=learnt --set seeds=1 --set epochs=1",
    "word_alignment": "word_alignment=links",
    "entity_alignment": "entity_alignment=names.tsv",
}


@pytest.fixture
def texts(tmp_path):
    for folder in ("verses", "topics"):
        (tmp_path / folder).mkdir()
        for code, lines in {"ell_Grek": "αβ γ\nδε\nζ\nηθ\n", "eng_Latn": "ab g\nde\nz\nit\n"}.items():
            (tmp_path / folder / f"{code}.txt").write_text(lines, encoding="utf-8")
    topics = "id\tsplit\ttopic\n1\ttrain\ta\n2\ttrain\tb\n3\ttest\ta\n4\ttest\tb\n"
    (tmp_path / "topics" / "index.tsv").write_text(topics)
    (tmp_path / "learnt").mkdir()
    (tmp_path / "learnt" / "index.tsv").write_text(topics + "5\tdev\ta\n6\tdev\tb\n")
    for code in ("ell_Grek", "eng_Latn"):
        (tmp_path / "learnt" / f"{code}.txt").write_text("ab g\nde\nz\nit\nab\nd\n", encoding="utf-8")
    (tmp_path / "labels").mkdir()
    for split in ("train", "dev", "test"):
        rows = "".join(f"{i}\t{w}\t_\t{tag}\t_\t_\t0\t_\t_\t_\n" for i, w, tag in ((1, "ab", "NOUN"), (2, "g", "VERB")))
        (tmp_path / "labels" / f"en_x-ud-{split}.conllu").write_text(f"{rows}\n{rows}\n")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "enfr.src-tgt").write_text("ab g ||| ab g\n" * 110)
    (tmp_path / "links" / "enfr.gold").write_text("1-1 2-2\n" * 110)
    (tmp_path / "sts.tsv").write_text("score\tsentence1\tsentence2\n1\ta\tb\n2\ta\tc\n3\tb\tc\n")
    (tmp_path / "words.tsv").write_text("ζ\tz\nδε\tde\n", encoding="utf-8")
    (tmp_path / "similar.tsv").write_text("a\tb\t1\na\tc\t2\nb\tc\t3\n")
    (tmp_path / "names.tsv").write_text("key\ten\tel\n1\tab\tαβ\n2\tde\tδε\n", encoding="utf-8")
    return tmp_path


def test_every_verb_that_prints_a_table_can_print_json():
    assert set(SCORED) == {*tasks(), "layers"}
    root = typer.main.get_command(cli.app).commands
    for verb in [root[name] for name in ("eval", "compare", "list", "recipe", "search", "tm")]:
        assert "--json" in [option for parameter in verb.params for option in parameter.opts], verb.name


@pytest.mark.parametrize("what", SCORED)
def test_json_is_what_the_file_has(what, align, texts):
    words = ("eval", "seed", *SCORED[what].split(), "--out", "kept.json")
    table = align(*words).out
    kept = read_json(texts / "kept.json")
    printed = align(*words, "--json").out
    again = strict(printed)
    for one in (kept, again):
        del one["created"], one["seconds"]
    assert again == null(kept) != {}
    assert not table.startswith("{")


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def null(value):
    if isinstance(value, dict):
        return {key: null(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [null(inner) for inner in value]
    return None if value != value else value


def test_benchmarks_and_comparisons(align, texts):
    for name, more in {"one": (), "two": ("--layer", 1)}.items():
        words = ("eval", "seed", "verses", "topics", "--name", name, *more, "--out", "results")
        lines = align(*words, "--json").out.splitlines()
        assert [strict(line)["benchmark"] for line in lines] == ["verses", "topics"]
        written = [strict(path.read_text(encoding="utf-8")) for path in (texts / "results").glob(f"{name}.*.json")]
        assert all(len(one.pop("seal")) == 64 for one in written)  # of the file alone
        assert sorted(written, key=str) == sorted(map(strict, lines), key=str)
    table = align("compare", "results", "--out", "compared.json").out
    assert strict(align("compare", "results", "--json").out) == strict((texts / "compared.json").read_text())
    assert "|" in table


def test_lists(align, texts):
    (texts / "data" / "tatoeba").mkdir(parents=True)
    found = {one["benchmark"]: one for one in strict(align("list", "--json").out)}
    assert found["tatoeba"]["task"] == "retrieval" and f"| {'tatoeba'} " in align("list").out
    assert isinstance(found["tatoeba"]["languages"], list)
    recipe = strict(align("recipe", "--json").out)
    recipes = recipe["recipes"]
    assert recipe["objectives"]["nt_xent"]
    assert recipes["translico"] == [["nt_xent", "mlm"]] and len(recipes["indicsbert"]) == 2
    assert strict(align("recipe", "translico", "--json", "--set", "train.steps=7").out)["train"]["steps"] == 7


def test_overlap_to_stdout(align, texts):
    (texts / "pairs.tsv").write_text(
        "source\ttarget\tsource_lang\ttarget_lang\tgroup_id\nαβ γ\tab g\tell_Grek\teng_Latn\tt\n", encoding="utf-8"
    )
    printed = align("check-overlap", "pairs.tsv", "verses", "--json", "-").out
    align("check-overlap", "pairs.tsv", "verses", "--json", "counts.json")
    assert strict(printed) == strict((texts / "counts.json").read_text()) and not (texts / "-").exists()


def test_what_json_does_not_know_is_null(capsys):
    show({"a": float("nan"), "b": (1.5, float("inf"))})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None]}
