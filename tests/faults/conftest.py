from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def disk(tmp_path):
    """Mounts a small disk of its own: ``disk(kilobytes)`` is its folder, and ``disk.seal()`` makes it read-only."""

    class Disk:
        place = tmp_path / "disk"

        def __call__(self, kilobytes):
            self.place.mkdir()
            self._run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs")
            return self.place

        def seal(self):
            self._run("mount", "-o", "remount,ro")

        def _run(self, *words):
            done = subprocess.run([*words, self.place], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")

    if os.name != "posix" or os.geteuid():
        pytest.skip("only the superuser may mount a disk")
    made = Disk()
    yield made
    subprocess.run(["umount", "-l", made.place], capture_output=True, check=False)


@pytest.fixture
def figures():
    """Keeps a figure of docs/reliability.md, where ``ALIGN_FIGURES`` names the folder of them."""

    def keep(name, value):
        if folder := os.environ.get("ALIGN_FIGURES"):
            file = Path(folder, "faults.json")
            kept = json.loads(file.read_text()) if file.is_file() else {}
            file.write_text(json.dumps({**kept, name: value}, indent=2, sort_keys=True) + "\n")

    return keep
