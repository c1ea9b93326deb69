"""What ``align doctor`` says of a machine, and whether it notices what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from packaging.requirements import Requirement

from align.health import caches as caches_module
from align.health import doctor as doctor_module
from align.health import fast_paths as fast_paths_module
from align.health import installed, two_processes
from align.health.caches import caches
from align.health.doctor import doctor
from align.health.fast_paths import fast_paths
from align.health.installed import Package, packages
from align.health.two_processes import Agreement, compared

RIGHT = Agreement(6, {"loss": (2.0, 2.0)}, 1e-7, 2e-6, "")


def test_two_processes_agree_and_the_verb_says_so(align):
    printed = json.loads(align("doctor", "--ddp", "--json").out)
    found = printed["two_processes"]
    assert found["agree"] and found["loss_difference"] <= 1e-5 and found["gradient_difference"] <= 1e-5
    assert found["losses"].keys() == {"nt_xent", "info_nce", "multiple_negatives", "siglip", "loss"}
    assert all(several == pytest.approx(alone, rel=1e-5) and alone > 0 for several, alone in found["losses"].values())
    assert printed["well"] and printed["versions"].keys() == {"align", "python", "system"}
    assert {one["name"] for one in printed["fast_paths"]} >= {"device", "attention", "search", "romaniser", "processes"}
    assert {one["name"] for one in printed["caches"]} >= {"models of the Hub", "datasets"}


def test_what_differs_is_noticed():
    several = {"losses": {"loss": 2.0}, "gradients": {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([4.0])}}
    alone = {"losses": {"loss": 2.0}, "gradients": {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([4.0])}}
    assert compared(several, alone).agree
    alone["gradients"]["b"] = torch.tensor([8.0])
    found = compared(several, alone)
    assert not found.agree and found.gradient_difference == 0.5 and found.words()[0] == "DISAGREE"
    alone["gradients"]["b"] = several["gradients"]["b"]
    alone["losses"]["loss"] = 1.0
    assert compared(several, alone).loss_difference == 1.0 and not compared(several, alone).agree
    del alone["gradients"]["b"]
    assert compared(several, alone).problem == "other parameters have gradients"


@pytest.mark.parametrize("how", ["crash", "hang"])
def test_two_that_do_not_answer_are_told(monkeypatch, how):
    code = {"crash": "import sys; sys.exit('no gloo here')", "hang": "import time; time.sleep(60)"}[how]
    run = subprocess.run
    monkeypatch.setattr(two_processes, "SECONDS", 0.5 if how == "hang" else 60)
    monkeypatch.setattr(subprocess, "run", lambda words, **options: run([sys.executable, "-c", code], **options))
    found = two_processes.two_processes()
    assert not found.agree
    assert found.problem == {"crash": "no gloo here", "hang": "they did not come to an end in 0.5 s"}[how]


def test_requirements_are_those_of_the_package(monkeypatch):
    lines = {
        ("", "numpy>=1"): "", ("", "numpy>=9999"): "expected >=9999", ("x", "numpy<1"): "expected <1",
        ("x", "no-such-package>=2"): "pip install 'align-encoders[x]'",
        ("", "no-such-package>=2"): "pip install 'no-such-package>=2'",
    }  # fmt: skip
    monkeypatch.setattr(installed, "requirements", lambda: [(extra, Requirement(line)) for extra, line in lines])
    assert [one.problem for one in packages()] == list(lines.values())
    assert [bool(one.version) for one in packages()] == [True, True, True, False, False]


def test_extras_are_told_and_markers_followed(monkeypatch):
    class Metadata:
        def get_all(self, name):
            return ["a", "b", "dev"]

    lines = [
        "x", "y; extra == 'a'", "y; extra == 'b'", "z; python_version < '3' and extra == 'b'", "w; extra == 'dev'",
        "v; sys_platform == 'none'",
    ]  # fmt: skip
    monkeypatch.setattr(installed.importlib.metadata, "requires", lambda name: lines)
    monkeypatch.setattr(installed.importlib.metadata, "metadata", lambda name: Metadata())
    assert [(extra, one.name) for extra, one in installed.requirements()] == [("", "x"), ("a", "y"), ("b", "y")]


@pytest.mark.parametrize(
    ("package", "agreement", "well"),
    [
        (Package("a", "1", "", ""), None, True), (Package("a", "1", "", ""), RIGHT, True),
        (Package("a", "", "", "pip install a"), None, False), (Package("a", "1", "", "expected >=2"), None, False),
        (Package("a", "", "x", "pip install a"), None, True), (Package("a", "1", "x", "expected >=2"), None, False),
        (Package("a", "1", "", ""), RIGHT._replace(gradient_difference=2e-5), False),
    ],
)  # fmt: skip
def test_what_is_wrong_makes_the_exit_code(align, monkeypatch, package, agreement, well):
    monkeypatch.setattr(doctor_module, "packages", lambda: [package])
    monkeypatch.setattr(doctor_module, "two_processes", lambda: agreement)
    printed = align("doctor", *["--ddp"] * (agreement is not None), code=0 if well else 1).out
    assert package.problem in printed and ("Two processes" in printed) == (agreement is not None)
    assert ("DISAGREE" in printed) == (agreement is not None and not agreement.agree)


def test_paths_that_are_not_taken_say_why(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr(fast_paths_module, "find_spec", lambda name: None)
    monkeypatch.setattr(fast_paths_module.shutil, "which", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    found = {one.name: one for one in fast_paths()}
    assert not found["search"].taken and "pip install 'align-encoders[faiss]'" in found["search"].says
    assert not found["--backend onnx"].taken and "pip install 'align-encoders[onnx]'" in found["--backend onnx"].says
    assert not found["train.compile"].taken and found["train.compile"].says
    assert all(one.says for one in found.values())


def test_caches_are_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(caches_module, "_of_hugging_face", lambda: iter([("there is none", tmp_path / "nothing")]))
    (tmp_path / "align" / "stores" / "a").mkdir(parents=True)
    (tmp_path / "align" / "stores" / "a" / "ids").write_bytes(b"x" * 1200)
    (tmp_path / "align" / "stores" / "b").write_bytes(b"x" * 34)
    (tmp_path / "align" / "stores" / "link").symlink_to(tmp_path / "align" / "stores" / "b")
    assert [(one.name, one.bytes, one.files) for one in caches()] == [
        ("align stores", 1234, 2),
        ("there is none", 0, 0),
    ]
    table = doctor().table()
    assert "1.2 kB  align stores" in table and "Two processes" not in table
