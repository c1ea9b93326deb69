"""Native and romanised text with one adapter, and with a mixture of several that has as many weights beside it.

    python -m scripts.experiments.mixture seed --bf16 --steps 50 --out docs/results/mixture-seed.json

Trained on half of Dakshina's sentences in five languages with their romanisations (recipe `transliteration`, its word
embeddings fixed, as under every adapter): LoRA of rank 32, and four adapters of rank 8 with a router, all of which
read. P@1 on 250 sentences a language of the other half, native to roman and back, with its interval by sentence;
and who reads what: the entropy of the router's weights and the purity of its adapters by language, on the same
sentences. Nothing was tuned.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset

import align
from align.encoders.encoder import Encoder
from align.encoders.mixture.layers import mixture_of
from align.encoders.mixture.report import routing
from align.similarity.ranks import gold_ranks
from align.tasks.statistics.intervals import macro_interval
from scripts.bench.harness import Row, command_line
from scripts.experiments.plans import LANGUAGES, romanised

CODES = ("bn", "hi", "si", "ta", "ur")
LINES, ASKED = 400, 250
WAYS = {
    "one adapter": ["lora.rank=32", "lora.alpha=32"],
    "mixture, all": ["lora.rank=8", "lora.alpha=32", "lora.experts=4"],
}  # fmt: skip


def mixed(
    model: str, *, to: Path = Path("runs/mixture"), prompt: str | None = None, bf16: bool = False, steps: int = 50,
    set: Sequence[str] = (),
) -> Row:  # fmt: skip
    """Train each way from the start, and measure."""
    result: Row = {"settings": {"steps": steps, "set": [*set], "bf16": bf16}, "states": {}}
    result["states"]["before"] = measured(align.load_encoder(model, prompt=prompt), bf16)
    for name, changes in WAYS.items():
        shared = [f"train.steps={steps}", f"train.bf16={str(bf16).lower()}", "train.learning_rate=1e-3", *set]
        recipe = align.load_recipe("transliteration", changes=[*shared, *changes])
        encoder, began = align.load_encoder(model, prompt=prompt), time.process_time()
        place = to / name.replace(", ", "-").replace(" ", "-")
        facts = align.train(encoder, pairs(), recipe, place, fresh=True, progress=False)
        minutes = round((time.process_time() - began) / 60, 1)
        told = {"cpu_minutes": minutes, "trained": facts["trainable_parameters"], "routing": facts.get("routing")}
        result["states"][name] = measured(encoder, bf16) | told
        print(name, result["states"][name], flush=True)
    return result


def pairs() -> Dataset:
    """Sentences and their romanisations."""
    rows = [
        {"source": native, "target": roman, "source_lang": code, "target_lang": latin(code), "group_id": f"{name}:{i}"}
        for name in CODES for code in [LANGUAGES["dakshina"][name]]
        for i, (native, roman) in enumerate(romanised(name, "train")[:LINES])
    ]  # fmt: skip
    return Dataset.from_list(rows)


def latin(code: str) -> str:
    """The code of the same language in Latin letters."""
    return f"{code.partition('_')[0]}_Latn"


def measured(encoder: Encoder, bf16: bool) -> Row:
    """P@1 both ways, with its interval, by language; and who reads what."""
    ways: dict[str, list[Any]] = {"native to roman": [], "roman to native": []}
    texts: dict[str, list[str]] = {}
    with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
        for name in CODES:
            native, roman = (list(side) for side in zip(*romanised(name, "test")[:ASKED], strict=True))
            a, b = encoder.encode(native), encoder.encode(roman)
            ways["native to roman"].append((gold_ranks(a, b) == 1).astype(float))
            ways["roman to native"].append((gold_ranks(b, a) == 1).astype(float))
            code = LANGUAGES["dakshina"][name]
            texts |= {code: native, latin(code): roman}
    found: Row = {
        way: [round(float(value), 4) for value in (
            np.mean([one.mean() for one in items]),
            *macro_interval(items, lines=[np.arange(len(one)) for one in items]),
        )]
        for way, items in ways.items()
    }  # fmt: skip
    return found | ({"held out": routing(encoder, texts)} if mixture_of(encoder.body) is not None else {})


if __name__ == "__main__":
    command_line(mixed)
