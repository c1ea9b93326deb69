"""An unseen script by new pieces: `align extend`, then the recipe `extension`; retrieval after each step.

    python -m scripts.experiments.extended seed --to runs/extended --out docs/results/extended.json

The encoder in the wheel knows the letters of nearly all scripts; trimmed to the English of TICO-19 it has none of
Amharic's, which it splits into bytes. New pieces are learnt, and trained, on the first 768 sentences of TICO-19; P@1
among the other 256 and English, with 95 % intervals. The teacher is the trimmed encoder.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

import align
from align.encoders.encoder import Encoder
from align.encoders.extending import ROWS
from align.files.whole import whole_file
from align.similarity.ranks import gold_ranks
from align.tasks.statistics.intervals import bootstrap_mean
from scripts.bench.harness import Row, command_line
from scripts.experiments.plans import TICO_TRAIN, lines
from scripts.experiments.romanised import cell

ENGLISH = 50


def extended(
    model: str,
    *,
    to: Path = Path("runs/extended"),
    prompt: str | None = None,
    language: str = "am",
    code: str = "amh_Ethi",
    pieces: int = 1000,
    set: Sequence[str] = (),
) -> Row:
    """Extend by both kinds of rows, train each, and measure each step."""
    english, other = (lines("tico19", f"{name}.txt") for name in ("en", language))
    to.mkdir(parents=True, exist_ok=True)
    for name, some in (("eng_Latn", english), (code, other[:TICO_TRAIN])):
        with whole_file(to / f"{name}.txt") as temporary:
            temporary.write_text("\n".join(some) + "\n", encoding="utf-8")
    align.trim(model, [to / "eng_Latn.txt"], to / "trimmed", prompt=prompt)
    teacher, steps = align.load_encoder(to / "trimmed"), []
    pairs = Dataset.from_list([
        {"source": x, "target": y, "source_lang": "eng_Latn", "target_lang": code, "group_id": str(i)}
        for i, (x, y) in enumerate(zip(english[:TICO_TRAIN], other, strict=False))
    ])  # fmt: skip
    recipe = align.load_recipe("extension", changes=set)

    def measure(step: str, encoder: Encoder) -> None:
        sides = [one.encode(some[TICO_TRAIN:]) for one, some in ((teacher, english), (encoder, other))]
        found: dict[str, Any] = {"step": step}
        for way, (queries, candidates) in {"from_english": sides, "to_english": sides[::-1]}.items():
            right = (gold_ranks(queries, candidates) == 1).astype(float)
            found[way] = cell(right.mean(), bootstrap_mean(right))
        steps.append(found)
        print(found, flush=True)

    measure("trimmed", teacher)
    settings = {"language": code, "pieces": pieces, "tested": len(english) - TICO_TRAIN, "set": list(set)}
    result: Row = {"settings": settings}
    for rows in ROWS:
        result[rows] = align.extend(teacher, [to / f"{code}.txt"], to / rows, pieces=pieces, rows=rows)
        encoder = align.load_encoder(to / rows)
        measure(f"extended, rows of {rows}", encoder)
        began = time.process_time()
        for stage in recipe.stages:
            align.train(encoder, pairs, _alone(stage), to / f"{rows}-{stage.name}", teacher=teacher, progress=False)
            measure(f"... then {stage.name}", encoder)
        result[rows]["cpu_minutes"] = round((time.process_time() - began) / 60, 1)
        result[rows]["english"] = unchanged(teacher, align.load_encoder(to / rows), english[TICO_TRAIN:][:ENGLISH])
    return result | {"steps": steps}


def unchanged(before: Encoder, after: Encoder, texts: Sequence[str]) -> Row:
    """How many texts have no new piece, and whether the vectors of these are equal to the last bit."""
    old, names = before.tokenizer.get_vocab(), after.tokenizer.convert_ids_to_tokens
    same = [
        text for text, row in zip(texts, after.tokenize(texts), strict=True) if all(one in old for one in names(row))
    ]
    equal = bool(np.array_equal(before.encode(same), after.encode(same)))
    return {"texts": len(texts), "without_new_pieces": len(same), "equal": equal}


def _alone(stage: Any) -> Any:
    """A stage as a recipe of its own."""
    return type(stage)(objectives=stage.objectives, train=stage.train)


if __name__ == "__main__":
    command_line(extended)
