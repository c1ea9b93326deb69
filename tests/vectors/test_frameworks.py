"""The examples of docs/frameworks.md run, and rank as Align does."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="only in a checkout of the source")
PACKAGES = {
    "LangChain": ["langchain_core", "langchain_huggingface"],
    "LlamaIndex": ["llama_index.core", "llama_index.embeddings.huggingface"],
    "Haystack": ["haystack", "haystack_integrations.components.embedders.sentence_transformers"],
}
QUIET = {
    "HAYSTACK_TELEMETRY_ENABLED": "False", "LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false",
    "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1",
    "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8",
}  # fmt: skip


def block(heading):
    """The first Python code below a heading."""
    text = PAGE.read_text(encoding="utf-8")
    return re.search(rf"# {heading}\n.*?```python\n(.*?)```", text, re.DOTALL)[1]


def run(code, folder):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | QUIET, capture_output=True, text=True,
        encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def installed(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder in which the first example of the page has made the folder ``model``."""
    folder = tmp_path_factory.mktemp("frameworks")
    with contextlib.chdir(folder):
        exec(block("LangChain, LlamaIndex, Haystack"), {})
    return folder


def test_the_model_is_what_align_loads(workplace):
    from align.encoders.checkpoint import load_encoder

    saved, seed = load_encoder(workplace / "model"), load_encoder("seed")
    assert (workplace / "model" / "modules.json").is_file()
    assert (saved.encode(["нет", "net"]) == seed.encode(["нет", "net"])).all()


@pytest.mark.parametrize("name", PACKAGES)
def test_an_example_ranks_as_align_does(workplace, name):
    for module in PACKAGES[name]:
        if not installed(module):
            pytest.skip(f"{module} is not installed")
    from align.encoders.checkpoint import load_encoder

    code = block(name)
    texts = re.findall(r'"([^"]*[а-я][^"]*)"', code)
    [query] = re.findall(r'"(zdr[^"]*)"', code)
    encoder = load_encoder(workplace / "model")
    [scores] = encoder.encode([query]) @ encoder.encode(texts).T
    best = int(scores.argmax())
    number, *words, score = run(code, workplace).split()
    assert len(texts) == 3 and number == str(best + 1) and " ".join(words) == texts[best]
    assert float(score) == pytest.approx(scores[best], abs=1e-3)


def test_the_page_has_an_example_for_each():
    assert re.findall(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == list(PACKAGES)
