"""Without extras everything imports and help works; what is declared is what is imported."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="only in a checkout of the source")
MODULES = {
    "faiss": {"faiss"}, "faiss-gpu": set(), "plots": {"matplotlib"}, "umap": {"umap"}, "lora": {"peft"},
    "langid": {"py3langid"}, "typology": {"lang2vec"}, "wordnet": {"wn"}, "mteb": {"mteb"}, "openvino": {"openvino"},
    "onnx": {"onnxruntime", "onnx", "onnxscript"}, "ray": {"ray"}, "milvus": {"pymilvus", "milvus_lite", "grpc"},
    "qdrant": {"qdrant_client"}, "qdrant-edge": {"qdrant_edge"}, "pgvector": {"psycopg", "pgvector"},
    "lance": {"lancedb"}, "fast-romanize": {"uroman_fast"}, "serve": {"starlette", "uvicorn"}, "docs": set(),
}  # fmt: skip
"""What each extra brings that is imported."""
NOT_IMPORTED = {"accelerate", "uroman"}
"""Needed by the Trainer of transformers, which asks for it only when it runs; a private copy is made of the other."""
IMPORTED_AS = {"python-iso639": "iso639", "jinja2": "jinja2", "huggingface-hub": "huggingface_hub"}
CHOSEN = {"flash_attn"}
"""Used where it is installed; nobody has to."""


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def name_of(line):
    name = Requirement(line).name
    return IMPORTED_AS.get(name, name.replace("-", "_").lower())


def imported():
    """Top-level names of what the package imports, itself and the standard library aside."""
    files = [path for room in ("align", "objectives", "tasks") for path in (ROOT / room).rglob("*.py")]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            yield from (name.partition(".")[0] for name in names)


def test_every_extra_is_known_here():
    assert set(project()["optional-dependencies"]) == {*MODULES, "dev"}


def test_dependencies_are_what_is_imported():
    found = set(imported()) - sys.stdlib_module_names - {"align"}
    needed = set(map(name_of, project()["dependencies"])) - NOT_IMPORTED
    assert found - set().union(*MODULES.values()) - CHOSEN == needed


def test_every_module_imports_without_any_extra():
    optional = set().union(*MODULES.values(), CHOSEN)
    code = f"""
import importlib, pkgutil, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        frame = sys._getframe(1)
        while "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        ours = frame.f_globals.get("__name__", "").startswith("align")  # others may ask for what they can do without
        if ours and name.partition(".")[0] in {optional!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
import align
for found in pkgutil.walk_packages(align.__path__, "align."):
    if found.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:  # of an engine, the module that its `client` imports
        if not (found.name.startswith("align.engines.") and error.name in {optional!r}):
            raise
sys.argv = ["align", "--help"]
align.cli.main()
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
