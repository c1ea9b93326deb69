"""Self-teaching beside plain InfoNCE, at equal steps on equal pairs: P@1 on SIB-200 and likeness, before and after.

    python -m scripts.experiments.self_taught seed --bf16 --to runs/rerank --out docs/results/self-taught.json

The pairs are those of `reranked`: lines 1-768 of TICO-19, English with Hindi, Russian and Swahili. P@1 of these and of
two languages without pairs to English, with 95 % intervals; Spearman's rho on the STS benchmark in English and Hindi.
"""

from __future__ import annotations

import time
from pathlib import Path

import align
from align.encoders.encoder import Encoder
from align.evaluation.encoding import Asked
from scripts.bench.harness import Row, command_line
from scripts.experiments.reranked import CODES, mined

OTHERS = ("deu_Latn", "tam_Taml")
RUNS = {
    "info_nce": ("translation", []),
    "self_teaching": ("self_teaching", ["self_teaching.temperature=0.02"]),
}  # fmt: skip
"""Recipes, and what is changed of them: both contrast at the temperature of `translation`."""


def self_taught(
    model: str, *, bf16: bool = False, to: Path = Path("runs/rerank"), steps: int = 40, batch: int = 32
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
    """P@1 with its interval, of the trained languages and of the others, and rho."""
    found: Row = {}
    settings = {"directions": ("to_pivot",)}
    asked = Asked(bf16=bf16)
    for name, codes in (("trained", CODES), ("not trained", OTHERS)):
        scored = align.evaluate(
            encoder,
            "sib200",
            languages=["eng_Latn", *codes],
            settings=settings,
            asked=Asked(bf16=bf16),
            use_cache=False,
        )
        found[name] = [scored["headline"]["value"], *scored["headline"]["interval"]]
    for code in ("eng_Latn", "hin_Deva"):
        scored = align.evaluate(encoder, "stsb", languages=[code], asked=asked, use_cache=False)
        found[f"sts {code}"] = [scored["headline"]["value"], *scored["headline"]["interval"]]
    return found


if __name__ == "__main__":
    command_line(self_taught)
