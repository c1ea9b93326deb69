"""One file is an objective: what a module, of this package or of another, offers is found."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from plugged import contributed

from align.errors import InputError
from align.objectives.inputs import Inputs
from align.objectives.objective import NEEDS, Objective, PlainOptions
from align.objectives.registry import objective, objectives
from align.training.config import objectives_table

ROOT = Path(__file__).parents[2]
CHECKOUT = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="only in a checkout of the source")
PLUGIN = '''
"""An objective of another package."""
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from align.objectives.objective import Objective


@dataclass(frozen=True)
class NearOptions:
    """Pairs are near."""

    weight: float = 1.0
    """Factor."""
    power: float = 2.0
    """Of the distance."""


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0))


def near(source: Tensor, target: Tensor, *, power: float = 2.0) -> Tensor:
    """Pairs are near."""
    return (source - target).abs().pow(power).mean()


def value(inputs, options, learned):
    return learned.factor * near(inputs.own("source"), inputs.own("target"), power=options.power)


OBJECTIVE = Objective("near", near, NearOptions, ("source", "target"), value, lambda options, sizes: Scale())
'''
USE = """
import sys
from align.encoders.checkpoint import load_encoder
from align.objectives.registry import objectives
from align.training.config import load_recipe
from align.training.config import explain
from align.training.train import train
sys.path.insert(0, "tests")
from toy import table
folder, out = sys.argv[1:]
recipe = load_recipe(out + ".toml", changes=["near.power=1", "train.steps=3"])
assert recipe.near.power == 1.0 and "# Of the distance." in explain(recipe)
facts = train(load_encoder(folder), table(), recipe, out, progress=False)
print([row["near"] for row in facts["losses"]])
"""


def test_every_objective_says_what_it_is():
    assert {"nt_xent", "mlm", "siglip", "spread"} < set(objectives())
    for name, one in objectives().items():
        assert one.name == name
        assert one.summary.endswith("."), name
        assert len(one.summary) < 110, name
        assert one.options().weight == 1.0 if name != "anchor" else True
        assert one.reads(one.options()) <= NEEDS.keys()


@CHECKOUT
def test_the_page_has_the_table():
    assert objectives_table() in (ROOT / "docs/training.md").read_text(encoding="utf-8")


def test_another_package_adds_one(bert_folder, tmp_path):
    (tmp_path / "site" / "near-1.dist-info").mkdir(parents=True)
    (tmp_path / "site" / "near_package.py").write_text(PLUGIN)
    (tmp_path / "site" / "near-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: near\nVersion: 1\n")
    entries = tmp_path / "site" / "near-1.dist-info" / "entry_points.txt"
    entries.write_text("[align.objectives]\nnear = near_package\n")
    (tmp_path / "out.toml").write_text("[near]\nweight = 0.5\n[train]\nbatch_size = 8\nlog_every = 1\n")

    def run():
        code = f"import sys; sys.path[:0] = [{str(tmp_path / 'site')!r}]\n{USE}"
        return subprocess.run(
            [sys.executable, "-c", code, str(bert_folder), str(tmp_path / "out")], capture_output=True, text=True,
            cwd=ROOT, check=False,
        )  # fmt: skip

    done = run()
    assert done.returncode == 0, done.stderr
    losses = json.loads(done.stdout.splitlines()[-1])
    assert len(losses) == 3 and min(losses) > 0
    entries.write_text("[align.objectives]\nnear = near_package:missing\n")
    assert "the entry point 'near' of align.objectives (near_package:missing) does not load" in run().stderr


@CHECKOUT
def test_the_objective_of_the_contributors_page_trains(bert_folder, tmp_path):
    package = contributed(tmp_path, "align.objectives", "mine/squared.py")
    (tmp_path / "out.toml").write_text("[squared]\n[train]\nsteps = 3\nbatch_size = 8\nlog_every = 1\n")
    use = """
import sys
from align.encoders.checkpoint import load_encoder
from align.training.config import load_recipe
from align.training.train import train
from toy import table
folder, out = sys.argv[1:]
facts = train(load_encoder(folder), table(), load_recipe(out + ".toml"), out, progress=False)
print([row["squared"] for row in facts["losses"]])
"""
    done = package.python(use, str(bert_folder), str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    losses = json.loads(done.stdout.splitlines()[-1])
    assert len(losses) == 3 and min(losses) > 0


def made(**changes):
    values = {"name": "x", "function": torch.add, "options": PlainOptions, "needs": ("source",), "formula": print}
    return Objective(**(values | changes))


def test_what_is_no_objective_is_refused(monkeypatch):
    with pytest.raises(InputError, match="no objective 'nt_xnet': expected one of .*nt_xent"):
        objective("nt_xnet")

    def offering(value):
        entry = EntryPoint("q", "p", "align.objectives")
        monkeypatch.setattr(EntryPoint, "load", lambda entry: value)
        monkeypatch.setattr("align.registry.entry_points", lambda group: [entry])
        return objectives.__wrapped__

    place = r"the entry point 'q' of align.objectives \(p\)"
    for value, message in (
        (3, rf"{place} must offer align.objectives.objective.Objective, got 3"),
        (made(needs=("sources",)), rf"{place}: x needs 'sources', expected of source, target"),
        (made(name="mlm"), rf"two objectives are called 'mlm': of align.objectives.mlm and {place}"),
    ):
        with pytest.raises(InputError, match=message):
            offering(value)()


def test_inputs_are_gathered_once_and_cut():
    calls = []

    def gather(rows):
        calls.append(rows)
        return torch.cat([rows, rows + 10])

    matrix = torch.arange(6.0).reshape(2, 3)
    given = {"source": matrix, "target": -matrix, "groups": torch.tensor([0, 1])}
    inputs = Inputs(given, gather=gather, rank=1)
    assert inputs.all("source").shape == (4, 3)
    assert torch.equal(inputs.cut(2).all("source"), inputs.all("source")[:, :2])
    assert torch.equal(inputs.cut(2).own("target"), -matrix[:, :2])
    assert len(calls) == 1
    assert torch.equal(inputs.all("source", "target")[:4], torch.cat([matrix, -matrix]))
    assert (inputs.rows(), inputs.rows(2)) == (slice(2, 4), slice(4, 8))
    assert torch.equal(inputs.all("source")[inputs.rows()], matrix + 10)
    assert "source" in inputs and "start" not in inputs
