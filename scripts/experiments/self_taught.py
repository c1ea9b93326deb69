"""Self-teaching beside plain InfoNCE, at equal steps on equal pairs: P@1 on SIB-200 and likeness, before and after.

    python -m scripts.experiments.self_taught seed --bf16 --to runs/rerank --out docs/results/self-taught.json

The pairs are those of `reranked`: lines 1-768 of TICO-19, English with Hindi, Russian and Swahili. P@1 of Hindi and
Swahili to English and Spearman's rho on the STS benchmark in Hindi, with 95 % intervals. A run that is in --to is not
trained again.
"""

from __future__ import annotations

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
    for name, (recipe, changes) in RUNS.items():
        if not (to / f"after-{name}" / "align.json").is_file():
            same = [f"train.steps={steps}", f"train.batch_size={batch}", f"train.bf16={str(bf16).lower()}"]
            chosen = align.load_recipe(recipe, changes=[*changes, *same])
            align.train(align.load_encoder(model), pairs, chosen, to / f"after-{name}")
    for name in ("before", *RUNS):
        encoder = align.load_encoder(model if name == "before" else to / f"after-{name}")
        result["runs"][name] = measured(encoder, bf16)
        print(name, result["runs"][name], flush=True)
    return result


def measured(encoder: Encoder, bf16: bool) -> Row:
    """P@1 on SIB-200 and rho on the STS benchmark, with their intervals."""
    p1 = {"what": "sib200", "languages": ["eng_Latn", *CODES[::2]], "settings": {"directions": ("to_pivot",)}}
    asked = {"P@1": p1, **{f"sts {code}": {"what": "stsb", "languages": [code]} for code in ("hi",)}}
    found: Row = {}
    for name, how in asked.items():
        scored = align.evaluate(encoder, **how, asked=Asked(bf16=bf16), use_cache=False)["headline"]
        found[name] = [scored["value"], *scored["interval"]]
    return found


if __name__ == "__main__":
    command_line(self_taught)
