from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="only in a checkout of the source")


def declared():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def test_declared_packages_are_those_on_disk():
    homes = {"align": ROOT / "align", "align.objectives": ROOT / "objectives", "align.tasks": ROOT / "tasks"}
    found = set(homes)
    for name, home in homes.items():
        for init in home.rglob("__init__.py"):
            inner = init.parent.relative_to(home).parts
            if inner and inner[0] not in ("objectives", "tasks"):
                found.add(".".join([name, *inner]))
    assert set(declared()["packages"]) == found


def test_the_links_are_there():
    for name in ("objectives", "tasks"):
        assert (ROOT / "align" / name).readlink() == Path("..") / name


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def third_party(module):
    top = module.partition(".")[0]
    return top not in sys.stdlib_module_names and top != "align"


@pytest.mark.parametrize("path", sorted((ROOT / "objectives").glob("*.py")), ids=lambda p: p.name)
def test_objectives_need_torch_only(path):
    for module in imports_of(path):
        ours = ("torch", "align.objectives", "align.errors", "align.registry")
        assert module.startswith(ours) or module in sys.stdlib_module_names | {
            "collections.abc",
            "importlib.metadata",
        }


@pytest.mark.parametrize("path", sorted((ROOT / "tasks").rglob("*.py")), ids=lambda p: p.name)
def test_tasks_need_numpy_and_scipy_only(path):
    for module in imports_of(path):
        if third_party(module):
            hub = module == "datasets" and path.name in ("bitext.py", "sts_sets.py")
            assert hub or module.startswith(("numpy", "scipy")), module


def test_importing_align_and_its_command_costs_no_torch():
    code = (
        "import align, align.cli, sys; sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'datasets')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_is_there():
    import align

    for name in align.__all__:
        assert getattr(align, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        align.nothing  # noqa: B018  (the access is the test)


def test_no_pickle_and_no_eval():
    for path in [*ROOT.glob("align/**/*.py"), *ROOT.glob("objectives/*.py"), *ROOT.glob("tasks/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        for word in ("import pickle", "allow_pickle=True", "yaml.load"):
            assert word not in text, f"{path}: {word}"
        trusting = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.keyword) and n.arg == "trust_remote_code"]
        assert not [n for n in trusting if not (isinstance(n.value, ast.Constant) and n.value.value is False)], path
        assert not any(
            isinstance(n, ast.Call) and getattr(n.func, "id", "") in ("eval", "exec") for n in ast.walk(ast.parse(text))
        )
