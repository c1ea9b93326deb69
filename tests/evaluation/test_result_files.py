"""Results of different things never share a file; the same thing again replaces itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import tiny_bert, tiny_tokenizer
from reported import result as shown
from reported import save
from result_dicts import result, score

from align.evaluation.results import file_part, result_name
from align.reporting.plots import draw_plots

ONE = result("runs/model", [score("hin_Deva", [1, 0])])


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other/model"},
        {"encoder": ONE["encoder"] | {"fingerprint": "retrained"}},
        {"encoder": ONE["encoder"] | {"pooling": {"layer": 4, "kind": "mean"}}},
        {"encoder": ONE["encoder"] | {"prompt": "query: "}},
        {"bf16": True},
        {"benchmark": "sib200"},
        {"task": "bli"},
        {"protocol": {"name": "xtreme"}},
        {"protocol": ONE["protocol"] | {"similarity": "csls"}},
        {"languages": ["hin_Deva"]},
        {"data": ONE["data"] | {"source": "there"}},
        {"data": ONE["data"] | {"sha256": "0ther" * 12}},
    ],
)
def test_another_thing_has_another_name(change: dict[str, Any]) -> None:
    assert result_name(ONE | change) != result_name(ONE)


def test_the_same_thing_again_has_the_same_name() -> None:
    again = {"model": "runs/model/", "seconds": 9, "created": "now", "groups": [{}], "headline": {"value": 0.1}}
    name = result_name(ONE | again)
    assert name == result_name(ONE) and name.startswith("model.tatoeba.") and len(name.split(".")) == 3


def test_a_part_of_a_file_name() -> None:
    for name in ("..", "/", "", ".", "a/.."):
        assert file_part(name) == "model"
    assert file_part("a b/c:d*") == "c-d-" and file_part(".hidden") == "hidden" and file_part("été") == "été"
    assert len(result_name(ONE | {"model": "x" * 900, "benchmark": "y" * 900})) < 255


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Two models and two folders of text whose paths end in the same name."""
    for seed, folder in enumerate(("first", "second")):
        tiny_bert(seed=seed).save_pretrained(tmp_path / folder / "model")
        tiny_tokenizer().save_pretrained(tmp_path / folder / "model")
        (tmp_path / folder / "texts").mkdir()
        for code in ("eng_Latn", "deu_Latn", "fin_Latn"):
            lines = "".join(f"{a}{b}{a}\n" for a in "abc" for b in "xyz"[: 2 + seed])
            (tmp_path / folder / "texts" / f"{code}.txt").write_text(lines)
    return tmp_path


def test_what_the_command_writes(align, models: Path) -> None:  # type: ignore[no-untyped-def]
    words = ("--no-cache", "--out", "results", "--mteb", "mteb", "--resamples", "10")
    runs = [
        ("first/model", "first/texts"),
        ("second/model", "first/texts"),
        ("first/model", "second/texts"),
        ("first/model", "first/texts", "--languages", "deu_Latn"),
        ("first/model", "first/texts", "--layer", "1"),
        ("first/model", "first/texts", "--protocol", "xtreme"),
        ("first/model", "first/texts", "second/texts", "--name", "both"),
    ]
    for number, run in enumerate(runs, 1):
        align("eval", *run, *words)
        expected = number + (run[-1] == "both")
        assert len(list((models / "results").iterdir())) == len(list((models / "mteb").rglob("*.json"))) == expected
    before = {path.name: json.loads(path.read_text())["headline"] for path in (models / "results").iterdir()}
    for run in runs:
        align("eval", *run, *words, "--seed", "1")
    after = {path.name: json.loads(path.read_text())["headline"] for path in (models / "results").iterdir()}
    assert before.keys() == after.keys() and len(list((models / "mteb").rglob("*.json"))) == len(after)
    shutil.rmtree(models / "results")
    align("eval", *runs[0], *words, "--seed", "1")
    (path,) = (models / "results").iterdir()
    assert path.name in after and path.name.startswith("model.texts.")


def test_figures_of_benchmarks_whose_names_differ_in_a_sign(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    bare = [{k: v for k, v in shown(benchmark=name).items() if k not in ("layers", "script_gaps", "map")}
            for name in ("a b", "a-b", "a-b-2", "a:b")]  # fmt: skip
    written = draw_plots(save(tmp_path, *bare), tmp_path / "plots")
    assert len(written) == len(set(written)) == len(list((tmp_path / "plots").iterdir())) == 8
