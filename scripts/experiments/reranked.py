"""Retrieve, and retrieve and re-rank: scorers trained on mined negatives of TICO-19, measured on SIB-200.

    python -m scripts.experiments.reranked seed --bf16 --to runs/rerank --out docs/results/rerank.json

Training: lines 1-768 of TICO-19 in Hindi, Russian and Swahili with English, both ways, each with 5 mined negatives
(ranks 1-30). A scorer that is in --to is not trained again. Measured: P@1 of the same languages to English among the
1,004 lines of SIB-200, with 95 % intervals, romanised by uroman, too, with --twin; pairs scored and seconds, by the
clock of a machine that others use, too. ``--shapes fusion cross-encoder`` trains both.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import align
from align.encoders.encoder import Encoder
from align.evaluation.encoding import Asked
from align.files.whole import read_json, write_json
from align.mining.negatives import negative_pairs
from align.reranking.learning import FusionOptions, fusion_head
from align.reranking.scorer import Scorer, load_scorer
from scripts.bench.harness import Row, command_line
from scripts.experiments.plans import LANGUAGES, TICO_TRAIN, lines

CODES = ("hin_Deva", "rus_Cyrl", "swh_Latn")
SHAPES = {"fusion": {"joint": 1, "rest": 1}, "cross-encoder": {"joint": 2, "rest": 0}}
"""Layers of each scorer above those that read a text for itself."""


def reranked(
    model: str, *, prompt: str | None = None, bf16: bool = False, to: Path = Path("runs/rerank"), steps: int = 120,
    rate: float = 1e-4, depth: int = 5, shapes: Sequence[str] = ("fusion",), twin: bool = False,
) -> Row:  # fmt: skip
    encoder = align.load_encoder(model, prompt=prompt)
    table = mined(encoder, to)
    result: Row = {"model": model, "depth": depth, "pairs": len(align.read_pairs(table)), "steps": steps, "systems": {}}
    for name in shapes:
        options = FusionOptions(**SHAPES[name], steps=steps, rate=rate, max_tokens=48)
        result["systems"][name] = SHAPES[name] | scorer_of(encoder, table, to / name, options, bf16)
    for name in ("retrieve", *shapes):
        scorer = None if name == "retrieve" else load_scorer(to / name, encoder, bf16=bf16)
        result["systems"].setdefault(name, {}).update(measured(encoder, scorer, depth, bf16, twin))
        print(name, result["systems"][name], flush=True)
    return result


def measured(encoder: Encoder, scorer: Scorer | None, depth: int, bf16: bool, twin: bool) -> Row:
    """P@1 of all queries with its interval, that of each language, and what it cost."""
    settings = {"directions": ("to_pivot",), **({"twin": "uroman"} if twin else {})}
    found = align.evaluate(
        encoder, "sib200", languages=["eng_Latn", *CODES], settings=settings, rerank=scorer, rerank_depth=depth,
        asked=Asked(bf16=bf16), use_cache=False,
    )  # fmt: skip
    native = [row for row in found["scores"] if row["direction"] == "to_pivot"]
    within = [row["metrics"]["P@5"] for row in native]
    return {
        "P@1": found["headline"]["value"], "interval": found["headline"]["interval"],
        "queries": sum(row["n"] for row in native),
        "P@5": sum(within) / len(within), "languages": {row["language"]: row["value"] for row in native},
        "romanised": {row["language"]: row["value"] for row in found["scores"] if row["direction"] == "romanised"},
        "seconds": found["seconds"], "rerank": found.get("rerank"),
    }  # fmt: skip


def mined(encoder: Encoder, to: Path) -> Path:
    """The table of pairs with negatives."""
    if not (to / "negatives" / "manifest.json").is_file():
        names = {code: name for name, code in LANGUAGES["tico19"].items()}
        (to / "text").mkdir(parents=True, exist_ok=True)
        for code in ("eng_Latn", *CODES):
            kept = lines("tico19", f"{names.get(code, 'en')}.txt")[:TICO_TRAIN]
            (to / "text" / f"{code}.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")
        for side in ("source", "target"):
            align.translation_pairs(
                to / "text", to / f"pairs-{side}", pivot="eng_Latn", pivot_side=side, licence="CC0 1.0"
            )
        tables = [to / f"pairs-{side}" for side in ("source", "target")]
        negative_pairs(tables, encoder, to / "negatives", number=5, ranks=(1, 30))
    return to / "negatives"


def scorer_of(encoder: Encoder, table: Path, out: Path, options: FusionOptions, bf16: bool) -> dict[str, Any]:
    """What training it cost; trained if it is not there."""
    cost = out.with_suffix(".json")
    if not cost.is_file():
        began = time.process_time()
        fusion_head(encoder, table, out, options=options, bf16=bf16)
        loss = read_json(out / "manifest.json")["loss"]
        write_json(cost, {"cpu_minutes": round((time.process_time() - began) / 60, 1), "loss": loss})
    return dict(read_json(cost))


if __name__ == "__main__":
    command_line(reranked)
