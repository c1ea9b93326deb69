"""One file is a task: what a module, of this package or of another, offers is found, scored, kept and compared."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from plugged import contributed

from align.errors import InputError
from align.evaluation.benchmarks import BENCHMARKS
from align.tasks.task import Task, task, tasks

ROOT = Path(__file__).parents[2]
CHECKOUT = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="only in a checkout of the source")


def test_every_task_says_what_it_is():
    assert set(tasks()) == {
        "bias", "bli", "classification", "entity_alignment", "identity", "mexa", "retrieval", "sts",
        "token_classification", "topic", "word_alignment", "wordsim", "xsim",
    }  # fmt: skip
    for name, one in tasks().items():
        assert one.name == name and one.asks.endswith("?") and len(one.asks) < 90
        assert one.default in one.protocols and one.inputs in ("sentences", "words", "layers", "tokens", "labels")
        for called, protocol in one.protocols.items():
            assert protocol.name == called and protocol.headline and protocol.describe()
    assert {one.task for one in BENCHMARKS.values()} <= set(tasks())


def test_what_is_no_task_is_refused(monkeypatch):
    with pytest.raises(InputError, match="no task 'qa': expected one of bias, bli, "):
        task("qa")
    sts = task("sts")
    monkeypatch.setattr(EntryPoint, "load", lambda entry: sts)
    monkeypatch.setattr("align.registry.entry_points", lambda group: [EntryPoint("q", "p", group)])
    with pytest.raises(InputError, match="two tasks are called 'sts'"):
        tasks.__wrapped__()
    assert isinstance(sts, Task)


@CHECKOUT
def test_the_page_names_every_task():
    page = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
    assert [name for name in tasks() if f"{name}=" not in page] == []


@CHECKOUT
def test_the_task_of_the_contributors_page_is_scored(bert_folder, tmp_path):
    package = contributed(tmp_path, "align.tasks", "mine/triplets.py")
    (tmp_path / "eng_Latn.tsv").write_text("abc\tabc\txyz\nde\tde\tq\nfg\tzzz\tfg\n")
    words = ["-q", "eval", str(bert_folder), "triplets=eng_Latn.tsv", "--no-cache", "--out", "r.json"]
    done = package.run(*words)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "r.json").read_text())
    (row,) = result["scores"]
    assert (result["task"], result["metric"], row["items"], row["lines"]) == (
        "triplets",
        "accuracy",
        [1, 1, 0],
        [1, 2, 3],
    )
    assert result["headline"]["value"] == pytest.approx(2 / 3) and "| eng_Latn | 3 |" in " ".join(done.stdout.split())
    compared = package.run("compare", "r.json")
    assert "eng_Latn (triplets): accuracy, 1 score" in compared.stdout
