"""The README's commands run, and its numbers are those of a run that is kept beside it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import shimmed

from align import demo

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="only in a checkout of the source")


def block(heading: str, language: str) -> str:
    """The first code block of a language under a heading."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(rf"## {heading}\n.*?```{language}\n(.*?)```", text, re.DOTALL)[1]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder in which the demo has run, if only for two steps."""
    folder = tmp_path_factory.mktemp("readme")
    folder.joinpath("result.json").write_text(json.dumps(demo.run(folder / "demo", steps=2, progress=False)))
    return folder


def test_the_demo_leaves_what_it_says(workplace):
    result = json.loads((workplace / "result.json").read_text())
    assert json.loads((workplace / "demo" / "result.json").read_text()) == result
    assert set(result["scores"]) == {*demo.COLUMNS, demo.TOPIC}
    for measure in result["scores"].values():
        for when in ("before", "after"):
            low, high = measure[when]["interval"]
            assert 0 <= low <= measure[when]["mean"] <= high <= 1
    languages = {code[:3] for code in demo.read_verses()[1]}
    assert set(result["scores"]["roman -> English"]["after"]["languages"]) == languages
    assert "seed" in (workplace / "demo" / "report.html").read_text(encoding="utf-8")
    assert (workplace / "demo" / "model" / "modules.json").is_file()
    assert (workplace / "demo" / "index" / "vectors.npy").is_file()
    assert len(list((workplace / "demo" / "test").glob("*.txt"))) == 21
    pytest.importorskip("matplotlib")
    assert (workplace / "demo" / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_it_is_short_and_begins_with_what_to_do():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert next(i for i, line in enumerate(lines, 1) if line.startswith("```bash")) < 25
    assert next(i for i, line in enumerate(lines) if line.startswith("![")) < lines.index("## From the command line")
    text = "\n".join(lines)
    assert [link for link in re.findall(r"\]\(([^):]+)\)", text) if not (ROOT / link).exists()] == []


def test_the_commands_run(workplace):
    commands = block("From the command line", "bash").replace("train.steps=20", "train.steps=2")
    done = subprocess.run(
        ["bash", "-euc", commands], cwd=workplace, env=shimmed(workplace), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| rus_Latn>rus_Cyrl | 269 |" in re.sub(" +", " ", done.stdout)
    assert re.search(r"  3\. \d\.\d{3}  [0-9a-f]{32}  rus_Cyrl  ", done.stdout)
    assert "| model " in done.stdout and "retrieval" in (workplace / "report.html").read_text(encoding="utf-8")


def test_the_python_runs(workplace, monkeypatch, capsys):
    code = block("From Python", "python").replace("train.steps=20", "train.steps=2").replace('"model"', '"model2"')
    script = workplace / "example.py"
    script.write_text(code)
    monkeypatch.chdir(workplace)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "protocol align" in done.stdout


def test_the_documents_are_those_of_the_kept_runs(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from scripts.document.write import PAGES, written

    for name in PAGES:
        assert written(name) == (ROOT / name).read_text(encoding="utf-8"), name


def test_the_laboratory_names_what_its_table_has_not(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from align.objectives.registry import objectives
    from scripts.document import laboratory

    rows = [{"objective": name} for name in objectives()]
    for tried, left, said in ((rows, [], "has all"), (rows[2:], rows[:1], rows[1]["objective"])):
        result = {"objectives": tried, "left_out": left}
        monkeypatch.setattr(laboratory, "kept", lambda name, result=result: result)
        assert said in laboratory.since()
        assert laboratory.since().count("`") == (0 if said == "has all" else 2)


def test_the_demo_crosses_the_script_barrier_and_forgets_nothing():
    kept = sorted((ROOT / "docs" / "results").glob("demo-*.json"))
    assert len(kept) == 3
    for run in (json.loads(path.read_text(encoding="utf-8"))["scores"] for path in kept):
        for name in ("native -> roman", "roman -> native", "roman -> English"):
            assert run[name]["difference"]["value"] > 0.3, name
        assert run["translation"]["difference"]["value"] == 0
        assert run["topic"]["difference"]["value"] > -0.01


def test_the_tables_name_every_objective_and_recipe():
    from align.objectives.registry import objectives
    from align.training.config import recipes

    for page, names in (("README.md", recipes()), ("docs/training.md", objectives())):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert [name for name in names if f"`{name}`" not in text] == []
