"""Self-teaching beside plain InfoNCE, at equal steps on equal pairs: P@1 on SIB-200 and likeness, before and after.

    python -m scripts.experiments.self_taught seed --bf16 --to runs/rerank --out docs/results/self-taught.json

The pairs are those of `reranked`: lines 1-768 of TICO-19, English with Hindi, Russian and Swahili. P@1 of these to
English and Spearman's rho on the STS benchmark in English and Hindi, with 95 % intervals.
"""

from __future__ import annotations

import time
from pathlib import Path

import align
from align.encoders.encoder import Encoder
from align.evaluation.encoding import Asked
from scripts.bench.harness import Row, command_line
from scripts.experiments.reranked import CODES, mined

RUNS = {
    "info_nce": ("translation", []),
    "self_teaching": ("self_teaching", ["self_teaching.temperature=0.02"]),
}  # fmt: skip
"""Recipes, and what is changed of them: both contrast at the temperature of `translation`."""


def self_taught(
    model: str, *, bf16: bool = False, to: Path = Path("runs/rerank"), steps: int = 30, batch: int = 32
) -> Row:
    mined(align.load_encoder(model), to)
    pairs = align.read_pairs(to / "pairs-source")
    result: Row = {"steps": steps, "batch": batch, "pairs": len(pairs), "runs": {}}
    result["runs"]["before"] = measured(align.load_encoder(model), bf16)
    for name, (recipe, changes) in RUNS.items():
        same = [f"train.steps={steps}", f"train.batch_size={batch}", f"train.bf16={str(bf16).lower()}"]
        encoder, began = align.load_encoder(model), time.process_time()
        align.train(encoder, pairs, align.load_recipe(recipe, changes=[*changes, *same]), to / f"after-{name}")
        minutes = round((time.process_time() - began) / 60, 1)
        result["runs"][name] = {"cpu_minutes": minutes, **measured(encoder, bf16)}
        print(name, result["runs"][name], flush=True)
    return result


def measured(encoder: Encoder, bf16: bool) -> Row:
    """P@1 on SIB-200 and rho on the STS benchmark, with their intervals."""
    p1 = {"what": "sib200", "languages": ["eng_Latn", *CODES], "settings": {"directions": ("to_pivot",)}}
    asked = {"P@1": p1, **{f"sts {code}": {"what": "stsb", "languages": [code]} for code in ("en", "hi")}}
    found: Row = {}
    for name, how in asked.items():
        scored = align.evaluate(encoder, **how, asked=Asked(bf16=bf16), use_cache=False)["headline"]
        found[name] = [scored["value"], *scored["interval"]]
    return found


if __name__ == "__main__":
    command_line(self_taught)
