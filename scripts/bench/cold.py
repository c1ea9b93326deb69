"""From nothing to the first hit: ``align search`` with ``seed`` in a process of its own, without torch and through it.

    python -m scripts.bench.cold --out docs/results/performance-cold.json

Seconds are the processor's, of the whole process; the variants take turns. "through torch" asks for the pooling that
the model has anyway, which the encoder without torch does not know. What they find is compared.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

import align
from align.tasks import read_aligned
from scripts.bench.harness import Row, command_line, turns

VARIANTS = {"align search": (), "align search, through torch": ("--pooling", "mean"), "align --help": None}


def cold(*, repetitions: int = 3) -> Row:
    texts = [
        text for lines in read_aligned(Path(str(files("align") / "data" / "demo" / "test"))).values() for text in lines
    ]
    texts = texts[:: len(texts) // 200][:200]
    encoder = align.load_encoder("seed", device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        ids = [str(i) for i in range(len(texts))]
        align.save_vectors(f"{folder}/v", ids, encoder.encode(texts), texts=texts, encoder=encoder.identity())
        search = ("-q", "search", "seed", f"{folder}/v", "V nachale bylo Slovo", "-k", "3", "--device", "cpu")
        works = {
            name: partial(spent, ("--help",) if more is None else (*search, *more)) for name, more in VARIANTS.items()
        }
        found = turns(works, repetitions)
    assert found["align search"][0][1] == found["align search, through torch"][0][1], "they find other rows"
    seconds = {name: sorted(one for one, _ in times)[len(times) // 2] for name, times in found.items()}
    slow = seconds["align search, through torch"]
    return {"rows": [{"name": name, "processor": one, "ratio": slow / one} for name, one in seconds.items()]}


def spent(words: Sequence[str]) -> tuple[float, str]:
    """Processor seconds of a command of align, and what it prints."""
    before = os.times()
    done = subprocess.run([sys.executable, "-m", "align.cli", *words], capture_output=True, text=True, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system, done.stdout


if __name__ == "__main__":
    command_line(cold)
