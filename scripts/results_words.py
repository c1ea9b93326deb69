"""The section of docs/results.md on synonym pairs: word translation and word similarity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from results_sentences import markdown

from align.files import read_json

COMMANDS = r"""```bash
FAST='--bf16 --threads 1 --table runs/table'
python scripts/lexical.py E5 $FAST --before --procrustes --out runs/words-start
python scripts/lexical.py E5 $FAST --recipe words --set train.bf16=true --out runs/words
python scripts/lexical.py E5 $FAST --recipe lexical --set train.bf16=true --set train.steps=300 --out runs/lexical
python scripts/lexical.py seed $FAST --before --procrustes --out runs/words-seed-start
python scripts/lexical.py seed $FAST --recipe words --out runs/words-seed
```"""
SETS = {"xling": "XLING", "panlex": "PanLex-BLI", "sinhala": "English-Sinhala"}
GROUPS = ("all", "trained", "not trained")


def words_section(kept: Path) -> str:
    """P@1 of all test sets and rho of Multi-SimLex, before and after, beside Procrustes."""
    runs = {path.stem.removeprefix("words-"): read_json(path) for path in sorted(kept.glob("words-*.json"))}
    rows = [[name, *_row(run["bli"], run)] for name, run in runs.items()]
    rows += [[f"{name}, Procrustes", *_row(run["procrustes"], {})] for name, run in runs.items() if "procrustes" in run]
    return markdown(["", *SETS.values()], rows)


def _row(bli: Mapping[str, Any], run: Mapping[str, Any]) -> list[str]:
    return [f"{bli[name]['mean']['all']['NN P@1']:.3f}" if name in bli else "-" for name in SETS]
