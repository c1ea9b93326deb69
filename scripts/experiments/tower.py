"""A tower of its own for romanised text: trained by `romanised_tower`, joined with the untouched encoder, measured.

    python -m scripts.experiments.tower E5 --prompt "query: " --to runs/tower --dev --out runs/tower/dev.json
    python -m scripts.experiments.tower E5 --prompt "query: " --to runs/tower --out docs/results/tower.json

Pairs: half of Dakshina's sentences (12 languages) with their human romanisation; phrases of two to six words,
cut out of both texts of a sentence at the same place; words of the lexicons. A tower that is in ``--to`` already is
measured. P@1 on the dev part, or on the other half, both ways, with 95 % intervals: of the untouched encoder and with
the tower, native text being read by the untouched encoder in both. Spearman's rho on the STS benchmark in Hindi, native
and as uroman writes it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray

import align
from align.encoders.encoder import Encoder
from align.similarity.ranks import gold_ranks
from align.tasks import read_sts
from align.tasks.statistics.intervals import macro_interval
from align.tasks.sts import sts
from align.text.languages import latin
from scripts.bench.harness import Row, command_line, data
from scripts.experiments.plans import LANGUAGES, lines, romanised
from scripts.experiments.romanised import cell

WORDS, PHRASES, LENGTHS = 300, 300, (2, 6)
CODES = [latin(code) for code in LANGUAGES["dakshina"].values()]


def tower(
    model: str, *, to: Path = Path("runs/tower"), prompt: str | None = None, dev: bool = False, set: Sequence[str] = ()
) -> Row:
    """Train what is not there, and measure."""
    result: Row = {"settings": {"words": WORDS, "phrases": PHRASES, "set": list(set)}}
    native = align.load_encoder(model, prompt=prompt)
    if not (to / "tower").is_dir():
        encoder, recipe = align.load_encoder(model, prompt=prompt), align.load_recipe("romanised_tower", changes=set)
        began = time.process_time()
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=recipe.train.bf16):
            align.train(encoder, pairs(), recipe, to / "tower")
        result["cpu_minutes"] = round((time.process_time() - began) / 60, 1)
    routed = align.route(native, to / "tower", to / "model", languages=CODES)
    with torch.autocast("cpu", torch.bfloat16):
        result |= measured(native, routed, "dev" if dev else "test")
    return result


def pairs() -> Dataset:
    """Sentences, words and phrases, each native and romanised by people."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, str]] = []
    for code, language in LANGUAGES["dakshina"].items():
        about = {"source_lang": language, "target_lang": latin(language)}
        sentences, lexicon = romanised(code, "train"), lines("dakshina", "lexicons", f"{code}.train.tsv")[1:]
        named = [(pair, "sentence", f"{code}:{i}") for i, pair in enumerate(sentences)]
        words = [tuple(lexicon[i].split("\t")[:2]) for i in rng.permutation(len(lexicon))[:WORDS]]
        named += [(pair, "word", f"w:{pair[0]}") for pair in words]
        named += [(pair, "phrase", f"p:{pair[0]}") for pair in phrases(sentences, rng)]
        rows += [about | {"source": x, "target": y, "kind": kind, "group_id": group} for (x, y), kind, group in named]
    return Dataset.from_list(rows)


def phrases(sentences: Sequence[tuple[str, str]], rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Words at the same place of both texts; of sentences that have as many words in both."""
    both = [(x.split(), y.split()) for x, y in sentences]
    even = [(x, y) for x, y in both if len(x) == len(y)]
    for _ in range(PHRASES):
        x, y = even[rng.integers(len(even))]
        size = int(rng.integers(LENGTHS[0], LENGTHS[1] + 1))
        start = int(rng.integers(0, max(1, len(x) - size + 1)))
        yield " ".join(x[start : start + size]), " ".join(y[start : start + size])


def measured(native: Encoder, routed: Encoder, part: str) -> Row:
    """P@1 by language before and after, and their means; whether native text has the vectors that it had; rho."""
    found: dict[str, Any] = {"before": {}, "after": {}, "native_equal": True}
    right: dict[str, dict[str, NDArray[np.float64]]] = {"before": {}, "after": {}}
    for code, language in LANGUAGES["dakshina"].items():
        texts, roman = map(list, zip(*romanised(code, part), strict=True))
        stored = native.encode(texts)
        found["native_equal"] &= np.array_equal(stored, routed.encode(texts, language=language))
        for when, encoder in (("before", native), ("after", routed)):
            asked = encoder.encode(roman, language=latin(language))
            ways = {"native_to_roman": (stored, asked), "roman_to_native": (asked, stored)}
            for way, (queries, candidates) in ways.items():
                items = (gold_ranks(queries, candidates) == 1).astype(float)
                right[when][f"{language} {way}"] = items
                found[when].setdefault(language, {})[way] = cell(items.mean(), macro_interval([items]))
        print(language, {when: found[when][language] for when in right}, flush=True)
    for when, items in right.items():
        found[when]["mean"] = {
            way: cell(mean(one.mean() for one in some), macro_interval(some))
            for way in ("native_to_roman", "roman_to_native")
            for some in [[one for name, one in items.items() if name.endswith(way)]]
        }
    return found | {"sts_hi": similarity(native, routed)}


def similarity(native: Encoder, routed: Encoder) -> dict[str, float]:
    """Spearman's rho on the STS benchmark in Hindi: native, and romanised by uroman, before and with the tower."""
    pairs = read_sts(data() / "sts" / "stsb")["hi"]
    sides = (tuple(align.romanize(side, lang="hin_Deva")) for side in (pairs.first, pairs.second))
    roman = replace(pairs, **dict(zip(("first", "second"), sides, strict=True)))
    asked = {"native": (pairs, native, "hin_Deva"), "native, with the tower": (pairs, routed, "hin_Deva")}
    asked |= {"romanised": (roman, native, "hin_Latn"), "romanised, with the tower": (roman, routed, "hin_Latn")}
    return {
        name: round(
            sts(lambda texts, _, by=encoder, code=code: by.encode(texts, language=code), {"hi": of}).headline(), 4
        )
        for name, (of, encoder, code) in asked.items()
    }


if __name__ == "__main__":
    command_line(tower)
