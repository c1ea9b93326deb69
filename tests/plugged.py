"""A distribution of another package beside this one, with entry points, and processes that find them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Distribution:
    """One module, NAME_package, and the entry points that name it; ``run`` is ``align`` in a process that has it."""

    def __init__(self, folder, name, text):
        self.folder, self.about = folder, folder / "site" / f"{name}-1.dist-info"
        self.about.mkdir(parents=True)
        (self.about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (folder / "site" / f"{name}_package.py").write_text(text, encoding="utf-8")

    def offers(self, group, *entries):
        (self.about / "entry_points.txt").write_text("\n".join([f"[{group}]", *entries, ""]))

    def run(self, *words):
        return self.python("from align.cli import main\nmain()", *words)

    def python(self, code, *words):
        code = f"import sys; sys.path[:0] = [{str(self.folder / 'site')!r}]\n{code}"
        return subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=self.folder, check=False,
            env={"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "PATH": ""},
        )  # fmt: skip


def contributed(folder, group, path, page="docs/tutorials/task-and-objective.md"):
    """The file that a page for contributors shows under this path, as a distribution of its own."""
    page = (ROOT / page).read_text(encoding="utf-8")
    text = page.partition(f"```python\n# {path}\n")[2].partition("```")[0]
    assert 0 < len(text.splitlines()) < 40
    name = Path(path).stem
    distribution = Distribution(folder, name, text)
    distribution.offers(group, f"{name} = {name}_package")
    return distribution
