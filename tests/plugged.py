"""A distribution of another package beside this one, with entry points, and the command line that finds them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Distribution:
    """One module and the entry points that name it; ``run`` is ``align`` in a process that has it installed."""

    def __init__(self, folder, name, text):
        self.folder, self.about = folder, folder / "site" / f"{name}-1.dist-info"
        self.about.mkdir(parents=True)
        (self.about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (folder / "site" / f"{name}_package.py").write_text(text, encoding="utf-8")

    def offers(self, group, *entries):
        (self.about / "entry_points.txt").write_text("\n".join([f"[{group}]", *entries, ""]))

    def run(self, *words):
        code = f"import sys; sys.path[:0] = [{str(self.folder / 'site')!r}]\nfrom align.cli import main\nmain()"
        return subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=self.folder, check=False,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
        )  # fmt: skip
