"""Names of entities before and after training on names: held-out entities, full training beside adapters alone.

    python -m scripts.experiments.entities seed --out docs/results/entities-seed.json
    python -m scripts.experiments.entities E5 --prompt "query: " --bf16 --out docs/results/entities-e5.json

Names of territories and languages (CLDR) and of currencies (ISO 4217) in English and eleven languages; every fifth
entity is held out. Trained on pairs of names of the others (recipe `knowledge`), all weights or LoRA of rank 16. Hit@1,
hit@5 and MRR of held-out names among all held-out names of the other language, both ways with English, of each of the
three lists; beside it P@1 of five languages of SIB-200 to English, and rho on the STS benchmark (dev) in four.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import align
from align.encoders.encoder import Encoder
from align.tasks.entity_alignment import PROTOCOL, TASK
from scripts.bench.harness import Row, command_line
from scripts.experiments.plans import lines
from scripts.experiments.switched import OTHERS, cell, first, likeness

LISTS = ("cldr-territories", "cldr-languages", "iso-codes-iso_4217")
LOCALES = ("en", "ar", "bn", "de", "el", "hi", "ja", "ka", "ko", "ru", "ta", "th")
HELD_OUT = 5
WAYS: Mapping[str, Sequence[str]] = {"all weights": (), "adapters": ("lora.rank=16", "train.learning_rate=3e-4")}
METRICS = ("NN P@1", "NN P@5", "NN MRR", "CSLS P@1")


def entities(
    model: str, *, to: Path = Path("runs/entities"), prompt: str | None = None, bf16: bool = False,
    set: Sequence[str] = (),
) -> Row:  # fmt: skip
    """Train each way what is not there, and measure before and after."""
    split(to)
    made = align.knowledge_pairs([to / "train" / f"{name}.tsv" for name in LISTS], to / "pairs", licence="Unicode-3.0")
    result: Row = {"settings": {"set": list(set), "bf16": bf16, "pairs": made["rows"], "entities": made["entities"]}}
    result["before"] = measured(align.load_encoder(model, prompt=prompt), to, bf16)
    for name, own in WAYS.items():
        out, changes = to / name.replace(" ", "-"), [*own, *set, *(["train.bf16=true"] if bf16 else [])]
        if not out.is_dir():
            recipe, began = align.load_recipe("knowledge", changes=changes), time.process_time()
            about = align.train(align.load_encoder(model, prompt=prompt), align.read_pairs(to / "pairs"), recipe, out)
            result[f"{name}, trained"] = about["trainable_parameters"]
            result[f"{name}, CPU minutes"] = round((time.process_time() - began) / 60, 1)
        result[name] = measured(align.load_encoder(out), to, bf16)
        print(name, result[name], flush=True)
    return result


def split(to: Path) -> None:
    """Tables of the languages alone, every fifth entity in ``test``."""
    for name in LISTS:
        header, *rows = (line.split("\t") for line in lines("entities", f"{name}.tsv"))
        places = [0, *(header.index(locale) for locale in LOCALES if locale in header[1:])]
        heads = ["key", *(header[k] for k in places[1:])]
        if header[0] == "en":  # the key is the English name
            places, heads = [0, *places], ["key", "en", *heads[1:]]
        for part in ("train", "test"):
            chosen = [row for k, row in enumerate(rows) if (k % HELD_OUT == 0) == (part == "test")]
            (to / part).mkdir(parents=True, exist_ok=True)
            text = "\n".join("\t".join(row[k] for k in places) for row in chosen)
            (to / part / f"{name}.tsv").write_text("\t".join(heads) + f"\n{text}\n", encoding="utf-8")


def measured(encoder: Encoder, to: Path, bf16: bool) -> Row:
    """Means over lists, languages and directions, with an interval by entity; P@1 of sentences; rho."""
    with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
        rows: list[Any] = []
        for name in LISTS:
            for unit in TASK.read(to / "test" / f"{name}.tsv", None, PROTOCOL):
                (row,) = TASK.score(lambda texts, _: encoder.encode(texts), unit, unit.load(), PROTOCOL)
                rows.append(row | {"lines": [f"{name} {line}" for line in row["lines"]]})
        found: Row = {metric: float(np.mean([row["metrics"][metric] for row in rows])) for metric in METRICS}
        items = [np.array(row["items"], dtype=float) for row in rows]
        found["P@1"] = cell(items, [row["lines"] for row in rows])
        found["scores"], found["candidates"] = len(rows), float(np.mean([row["facts"]["candidates"] for row in rows]))
        english = encoder.encode(lines("sib200", "eng_Latn.txt"))
        found["sentences"] = cell([first(encoder.encode(lines("sib200", f"{code}.txt")), english) for code in OTHERS])
        found["sts"] = likeness(encoder)
    return found


if __name__ == "__main__":
    command_line(entities)
