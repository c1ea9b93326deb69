"""The notebooks are those of the tutorials, and run."""

from __future__ import annotations

import json
from pathlib import Path

import pages
import pytest

import align

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


def executed(text, folder, monkeypatch):
    """The cells of code of a notebook, run in a folder."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    for key, value in pages.shimmed(folder).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    held = nbformat.reads(text, as_version=4)
    nbformat.validate(held)
    nbclient.NotebookClient(held, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell for cell in held.cells if cell.cell_type == "code"]


def test_cells_run_in_their_order(made, tmp_path, monkeypatch):
    monkeypatch.setattr(made, "ROOT", tmp_path)
    page = tmp_path / "a.md"
    page.write_text(
        "```toml\n# a.toml\nb = 3\n```\n```bash\nls *.toml\nalign --version\n```\n"
        "```python\nopen('a.toml').read()\n```\n"
    )
    _, shell, code = executed(json.dumps(made.notebook(page)), tmp_path, monkeypatch)
    assert "".join(output.text for output in shell.outputs) == f"a.toml\n{align.__version__}\n"
    assert code.outputs[0].data["text/plain"] == "'# a.toml\\nb = 3\\n'"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("low-resource-script", "from_pivot"), ("search-engine", '"passed": true'),
        ("task-and-objective", "triplets"), ("which-encoder", "first-token"),
    ],
)  # fmt: skip
def test_it_runs(name, printed, tmp_path, monkeypatch):
    pytest.importorskip("qdrant_client")
    cells = executed(pages.few_steps((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")), tmp_path, monkeypatch)
    assert all(cell.execution_count for cell in cells)
    assert printed in "".join(output.get("text", "") for cell in cells for output in cell.outputs)
