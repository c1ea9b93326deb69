"""Train an encoder on what experiments.toml says, and measure it before and after.

    python -m scripts.experiments parallel seed --set train.steps=400 --bf16 --out runs/parallel

``barrier``: native and romanised text, and what is forgotten for it. Trains on half of Dakshina's sentences (12 South
Asian languages), on words of its lexicons and on translation pairs of TICO-19 (a rehearsal of what the encoder knows);
P@1 on the other half, both ways among 1,000 candidates, and on SIB-200, 20 languages to English.
``nli-sts``: NLI, then STS; Spearman's rho on the STS benchmark per language, and of every two of five languages.
``parallel``: TICO-19 (lines 1-768), and verses in languages that TICO-19 lacks, each with English; P@1 to English on
Tatoeba, the 36 languages of XTREME, and on SIB-200.
``words``: synonym pairs, see words.py.

Choices are made on the dev parts (--dev), never on the test parts. CPU minutes count every process and thread.
"""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import align
from align.files.whole import write_json
from scripts.bench.harness import command_line
from scripts.bench.timed import with_head
from scripts.experiments import sentences, words
from scripts.experiments.plans import PLANS, encode_with

PAIRS = {
    "barrier": sentences.barrier_pairs, "nli-sts": sentences.nli_sts_pairs, "parallel": sentences.parallel_pairs,
    "words": words.word_pairs,
}  # fmt: skip
MEASURES = {
    "barrier": sentences.barrier, "nli-sts": sentences.nli_sts, "parallel": sentences.parallel, "words": words.measure,
}  # fmt: skip


def experiment(
    name: str, model: str, *, to: Path = Path("runs/experiment"), prompt: str | None = None, recipe: str | None = None,
    set: Sequence[str] = (), settings: Sequence[str] = (), dev: bool = False, before: bool = False,
    no_before: bool = False, bf16: bool = False,
) -> None:  # fmt: skip
    plan: dict[str, Any] = PLANS[name] | {"dev": dev}
    for one in settings:
        key, _, value = one.partition("=")
        plan |= {key: value}
        with suppress(tomllib.TOMLDecodeError):
            plan |= tomllib.loads(one)
    start = with_head(model, to / "start") if plan.get("new_head") else model
    encoder = align.load_encoder(start, prompt=prompt, special_tokens=plan.get("special_tokens"))
    tables, facts = PAIRS[name](plan, to)
    given = {"model": model, "prompt": prompt, "set": [*set], **plan}
    result: dict[str, Any] = {"settings": {key: str(value) for key, value in given.items()}, **facts}
    states, chosen = plan["states"], align.load_recipe(recipe or plan["recipe"], changes=set)
    stages = chosen.stages or (chosen,)
    file = to / ("dev.json" if dev else "result.json")

    def keep(state: str, **more: Any) -> None:
        found = MEASURES[name](plan, encode_with(encoder, bf16=bf16)) | more
        result.update({state: found} if state else found)
        print(state, json.dumps(found)[:2000], flush=True)
        write_json(file, result)

    if before or (len(states) > len(stages) and not no_before):
        keep(states[0])
    for stage, state in zip(stages, states[-len(stages) :], strict=True):
        if not before:
            began = time.process_time()
            chosen_tables = {stage.name: tables[stage.name]} if chosen.stages else tables
            align.train(encoder, chosen_tables, stage, to / (f"after-{stage.name}" if chosen.stages else "model"))
            minutes = round((time.process_time() - began) / 60, 1)
            keep(state, cpu_minutes=minutes)


if __name__ == "__main__":
    command_line(experiment)
