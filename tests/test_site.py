"""The site: pages that are made know all there is, the menu has every page, and search works in a file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from chromium import Chromium, find_chromium

import align
from align import cli
from align.engines.registry import engines
from align.evaluation.benchmarks import BENCHMARKS
from align.objectives.registry import objectives
from align.tasks.task import tasks
from align.training.config import recipes

pytest.importorskip("mkdocs")
ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "scripts" / "document" / "site" / "mkdocs.yml"
pytestmark = pytest.mark.skipif(not CONFIG.is_file(), reason="only in a checkout of the source")


@pytest.fixture(scope="module")
def hook():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        from scripts.document.site import hook

        yield hook


def verbs(command, *before):
    for name, one in getattr(command, "commands", {}).items():
        yield " ".join((*before, name))
        yield from verbs(one, *before, name)


def headings(text):
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def test_the_reference_knows_all_there_is(hook):
    made = hook.made()
    told = [name for path, text in made.items() if "/cli/" in path for name in headings(text)]
    assert sorted(told) == sorted(verbs(typer.main.get_command(cli.app), "align"))
    for path, known in (
        ("recipes", recipes()),
        ("objectives", objectives()),
        ("tasks", tasks()),
        ("engines", engines()),
    ):
        assert headings(made[f"reference/{path}.md"]) == list(known), path
    assert all(f"\n| `{name}` |" in made["reference/benchmarks.md"] for name in BENCHMARKS)
    protocols = [name for task in tasks().values() for name in task.protocols]
    assert re.findall(r"^- `([^`]+)`: ", made["reference/tasks.md"], re.MULTILINE) == protocols
    documented = {
        name for path, text in made.items() if "/api/" in path for name in re.findall("^::: (.+)$", text, re.M)
    }
    assert {name.rpartition(".")[2] for name in documented} == set(align.__all__) - {"__version__"}
    assert "Usage: align pairs nli" in made["reference/cli/prepare.md"]
    assert "Examples:\n  align pairs nli" in made["reference/cli/prepare.md"]


def test_the_guide_by_data_is_the_readme_s_table(hook):
    guide = hook.made()["guides.md"]
    assert all(f"`{name}`" in guide for name in recipes())
    assert "](docs/" not in guide and "](romanised.md)" in guide


def test_every_page_is_in_the_menu():
    menu = CONFIG.read_text(encoding="utf-8").partition("\nnav:\n")[2]
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(re.findall(r"[\w/-]+\.md", menu)) == pages | {"guides.md", "contributing.md", "changelog.md"}


@pytest.mark.parametrize(
    ("tag", "loads"),
    [
        ('<script src="https://unpkg.com/x"></script>', True), ("<link rel=stylesheet href=//fonts.example/css>", True),
        ('<img alt="a" src="http://x/y.png">', True), ('<a href="https://aclanthology.org/P18-4003">', False),
        ('<script src="assets/x.js"></script>', False), ('<abbr title="https://x">', False),
    ],
)  # fmt: skip
def test_what_is_loaded_from_elsewhere_is_seen(hook, tag, loads):
    assert bool(hook.LOADED.search(f"<p>{tag}</p>")) == loads


def test_roles_of_docstrings_become_code(hook, tmp_path):
    griffe = pytest.importorskip("griffe")
    text = 'def f():\n    """As :func:`align.certify` and ``x``::\n\n        y\n\n    Args:\n        z: > 0.\n    """\n'
    (tmp_path / "with_roles.py").write_text(text, encoding="utf-8")
    extensions = griffe.load_extensions("scripts.document.site.roles")
    module = griffe.load("with_roles", search_paths=[tmp_path], extensions=extensions)
    assert module["f"].docstring.value == "As `align.certify` and ``x``:\n\n    y\n\nArgs:\n    z: \\> 0."


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed")
def test_search_works_in_a_file(tmp_path):
    pytest.importorskip("material")
    (tmp_path / "docs" / "assets").mkdir(parents=True)
    (tmp_path / "docs" / "index.md").write_text("# One\n\nA word: quokka.\n", encoding="utf-8")
    script = CONFIG.with_name("iframe_worker.js").read_text(encoding="utf-8")
    (tmp_path / "docs" / "assets" / "iframe-worker.js").write_text(script, encoding="utf-8")
    echo = "addEventListener('message', (event) => postMessage(event.data + 1))"
    (tmp_path / "docs" / "assets" / "echo.js").write_text(echo, encoding="utf-8")
    own = f"INHERIT: {CONFIG}\ndocs_dir: docs\nsite_dir: site\nhooks: []\nnav: [index.md]\nplugins: [search, offline]\n"
    (tmp_path / "mkdocs.yml").write_text(own, encoding="utf-8")
    words = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ask = """(async () => {
        document.getElementById("__search").click();
        const box = document.querySelector("[data-md-component=search-query]");
        box.value = "quokka";
        for (let i = 0; i < 200 && !document.querySelector(".md-search-result__item"); i++) {
            box.dispatchEvent(new Event("keyup", { bubbles: true }));
            box.dispatchEvent(new Event("input", { bubbles: true }));
            await new Promise((done) => setTimeout(done, 50));
        }
        return document.querySelector(".md-search-result__list").innerText;
    })()"""
    with Chromium(find_chromium()) as browser:
        browser.open(tmp_path / "site" / "index.html")
        assert "quokka" in browser.evaluate(ask)
        told = """new Promise((done) => {
            const worker = new Worker("assets/echo.js");
            worker.addEventListener("message", (event) => done(event.data));
            worker.postMessage(1); // before its script is loaded
            setTimeout(() => done("lost"), 5000);
        })"""
        assert browser.evaluate(told) == 2
        assert browser.errors == []
        assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []
