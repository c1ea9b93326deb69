"""Every objective on a cloned language, for docs/laboratory.md.

    python -m scripts.experiments.laboratory --bf16 --out docs/results/laboratory.json

What `align lab` does, with the command and the hardware in the file; about 7 minutes of one core.
"""

from __future__ import annotations

import logging

import align
from align.laboratory.bench import Plan
from scripts.bench.harness import Row, command_line


def laboratory(*, model: str = "seed", steps: int = 60, bf16: bool = False) -> Row:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return align.lab(model, plan=Plan(steps=steps, bf16=bf16))


if __name__ == "__main__":
    command_line(laboratory)
