"""A student of some layers of its teacher: distilled and then contrasted, or contrasted alone for as many steps.

    python -m scripts.experiments.layers E5 --prompt "query: " --to runs/layers --out docs/results/layers.json

Trained on a share of the translations of TICO-19 (lines 1-768) and of the Bible that the experiment ``parallel`` has.
Measured, on the first lines of test sets: rho on the STS benchmark, P@1 to English on SIB-200 and on Tatoeba; sizes;
and processor time of encoding English, teacher and student in turns. Intervals are of 95 %, by line, all languages of
a line together.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from datasets import concatenate_datasets

import align
from align.encoders.encoder import Encoder
from align.encoders.trimming import with_layers
from align.files.whole import write_json
from align.similarity.ranks import gold_ranks
from align.tasks import read_sts
from align.tasks.statistics.correlation import resampled_spearman, spearman
from align.tasks.statistics.intervals import macro_interval
from align.tasks.statistics.resampling import percentile_interval
from scripts.bench.harness import Row, command_line, compared, data
from scripts.experiments.plans import LANGUAGES, Encode, encode_with, lines
from scripts.experiments.romanised import cell
from scripts.experiments.sentences import parallel_pairs

STS = ("en", "hi", "ru", "tr", "zh")
SIB = ("hin_Deva", "ben_Beng", "tam_Taml", "rus_Cyrl", "arb_Arab", "zho_Hans", "swh_Latn", "deu_Latn")
TATOEBA = ("hin", "ben", "tam", "rus", "ara", "cmn", "swh", "deu")


def layers(
    model: str, *, to: Path = Path("runs/layers"), prompt: str | None = None, layers: int = 4, rows: int = 6000,
    tested: int = 200, set: Sequence[str] = (), bf16: bool = False,
) -> Row:  # fmt: skip
    to.mkdir(parents=True, exist_ok=True)
    teacher = align.load_encoder(model, prompt=prompt)
    tables, _ = parallel_pairs({}, to)
    share = rows / sum(map(len, tables.values()))
    pairs = concatenate_datasets([
        table.shuffle(seed=0).select(range(round(share * len(table)))) for table in tables.values()
    ])  # fmt: skip
    both = align.load_recipe("feature_distillation", changes=set)
    features, contrast = both.stages
    steps = features.train.steps + contrast.train.steps
    alone = type(both)(objectives=contrast.objectives, train=replace(contrast.train, steps=steps))
    student = with_layers(teacher, layers)[0]
    result: Row = {"settings": {"layers": layers, "pairs": len(pairs), "tested": tested, "set": [*set]}, "states": []}

    def measure(name: str, encoder: Encoder, **more: Any) -> None:
        found = {"name": name, "parameters": sum(p.numel() for p in encoder.parameters()), **more}
        result["states"].append(found | scores(encode_with(encoder, bf16=bf16), tested))
        print(result["states"][-1], flush=True)
        write_json(to / "result.json", result)

    measure("teacher", teacher)
    measure("student, untrained", student)
    english = lines("sib200", "eng_Latn.txt")[:50]
    works = {"teacher": teacher, "student": student}
    costs, _ = compared({name: lambda one=one: one.encode(english) for name, one in works.items()}, 3)
    result["ms"] = {name: 1000 * cost["processor"] / len(english) for name, cost in costs.items()}
    for name, recipe in {"features, then contrast": both, "contrast alone": alone}.items():
        encoder, began = with_layers(teacher, layers)[0], time.process_time()
        align.train(encoder, pairs, recipe, to / "student", teacher=teacher, progress=False)
        measure(name, encoder, steps=steps, cpu_minutes=round((time.process_time() - began) / 60, 1))
    return result


def scores(encode: Encode, tested: int) -> Mapping[str, Any]:
    """``sts``, ``sib200`` and ``tatoeba``: the mean over languages and its interval; and by language."""
    every = read_sts(data() / "sts" / "stsb")
    gold = every["en"].scores[:tested]  # the same rows in every language
    sides = [[encode(side[:tested]) for side in (every[name].first, every[name].second)] for name in STS]
    likeness = [(a * b).sum(axis=1) for a, b in sides]
    rhos = {name: spearman(one, gold) for name, one in zip(STS, likeness, strict=True)}
    interval = percentile_interval(np.mean(resampled_spearman(likeness, gold), axis=0))
    assert interval is not None
    found: Row = {"sts": cell(mean(rhos.values()), interval), "languages": {"sts": rhos}}
    english = lines("sib200", "eng_Latn.txt")[:tested]
    tatoeba = {
        LANGUAGES["tatoeba"][code]: [lines("tatoeba", f"tatoeba.{code}-eng.{side}")[:tested] for side in (code, "eng")]
        for code in TATOEBA
    }
    sib200 = {code: [lines("sib200", f"{code}.txt")[:tested], english] for code in SIB}
    for name, languages in {"sib200": sib200, "tatoeba": tatoeba}.items():
        right = {code: (gold_ranks(*map(encode, both)) == 1).astype(float) for code, both in languages.items()}
        same = [range(tested)] * len(right) if name == "sib200" else None  # whose lines are those of other languages
        found[name] = cell(mean(one.mean() for one in right.values()), macro_interval([*right.values()], lines=same))
        found["languages"][name] = {code: float(one.mean()) for code, one in right.items()}
    return found


if __name__ == "__main__":
    command_line(layers)
