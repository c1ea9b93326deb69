"""The notebooks are those of the tutorials, and run."""

from __future__ import annotations

import json
from pathlib import Path

import pages
import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "tutorials"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="only in a checkout of the source")


@pytest.fixture(scope="module")
def made():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        from scripts.document import notebooks

        yield notebooks


def test_they_are_those_of_the_pages(made):
    found = made.notebooks()
    assert {path.name: text for path, text in found.items()} == {
        path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.ipynb")
    }
    assert {path.stem for path in found} == {path.stem for path in FOLDER.glob("*.md")}


def test_blocks_become_cells(made, tmp_path, monkeypatch):
    monkeypatch.setattr(made, "ROOT", tmp_path)
    page = tmp_path / "docs" / "a.md"
    page.parent.mkdir()
    page.write_text(
        "# A\n\nSee [b](b.md#c), [d](https://d.e/f.md).\n\n```bash\nls\n```\n\n```toml\n# x/y.toml\n[z]\n```\n"
        "\n```python\n1 + 1\n```\n\nEnd, and ```text``` stays.\n"
    )
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in made.notebook(page)["cells"]]
    assert cells[1:] == [
        ("markdown", f"# A\n\nSee [b]({made.ONLINE}docs/b.md#c), [d](https://d.e/f.md)."),
        ("code", "%%bash -e\nls"), ("code", "%%writefile x/y.toml\n# x/y.toml\n[z]"),
        ("code", "1 + 1"), ("markdown", "End, and ```text``` stays."),
    ]  # fmt: skip
    assert "pip install" in cells[0][1]


@pytest.mark.parametrize("name", [
    "search-engine", *(pytest.param(name, marks=pytest.mark.slow) for name in (
        "low-resource-script", "task-and-objective", "which-encoder",
    ))
])  # fmt: skip
def test_it_runs(name, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    for package in ("ipykernel", "qdrant_client"):
        pytest.importorskip(package)
    for key, value in pages.shimmed(tmp_path).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    text = pages.few_steps((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    held = nbformat.reads(text, as_version=4)
    nbformat.validate(held)
    nbclient.NotebookClient(held, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    ran = [cell for cell in held.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in ran)
    printed = json.dumps([cell.outputs for cell in ran])
    assert (
        "Traceback" not in printed
        and {"search-engine": "passed", "which-encoder": "first-token"}.get(name, "") in printed
    )
