"""Real pairs hidden among sentences without a translation: how many of them mining finds, and how many others.

    python -m scripts.experiments.mined E5 --prompt "query: " --pairs 500 --out docs/results/search-mined.json
    python -m scripts.experiments.mined none --synthetic 100000 200000 --threads 2

For each language two pairs of corpora are planted from Tatoeba, one to choose the threshold on (dev), one to report
(test), which share no sentence: half of their pairs are whole, of a quarter the English side is left out, of a quarter
the other. To both sides come --distractors sentences whose translation is in neither: English ones from the pairs of
other languages and from TICO-19, of the language from TICO-19 where it has it (other lines than the English ones).
Sentences that occur twice in a side, and English distractors that occur in the language's own pairs, are left out.

Reported are precision, recall and F1 at the threshold of the best dev F1 of each language, and of all languages
together (shared). --synthetic N mines N among N vectors, exactly and with FAISS, and gives seconds and memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import align
from align.mining.mining import candidates, mine
from align.mining.pairs import Quality, best_threshold, quality
from align.similarity.margin import SCORES
from align.similarity.nearest import Neighbours, exact_neighbours
from scripts.bench.harness import Row, apart, command_line, measured
from scripts.experiments import plans

LANGUAGES = {
    "ara": "ar", "ben": "bn", "cmn": "zh", "ell": "", "hin": "hi", "ind": "id", "jpn": "", "kat": "", "khm": "km",
    "mar": "mr", "pes": "fa", "rus": "ru", "swh": "sw", "tam": "ta", "urd": "ur",
}  # fmt: skip
"""Tatoeba's code and TICO-19's, "" where that has none."""
DIRECTIONS = ("forward", "intersection", "max")
PARTS = ("dev", "test")
Found = dict[str, tuple[Neighbours, Neighbours]]
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Planted:
    """Two sides; row i of ``x`` translates row i of ``y`` for i < pairs, and no other row has a partner."""

    x: list[str]
    y: list[str]
    pairs: int


def mined(
    model: str, *, prompt: str | None = None, languages: Sequence[str] = (*LANGUAGES,), pairs: int | None = None,
    distractors: int = 400, k: int = 4, seed: int = 0, synthetic: Sequence[int] = (), dimension: int = 256,
    block: int = 2048,
) -> Row:  # fmt: skip
    large = []
    for rows in synthetic:
        for engine in ("exact", "faiss"):
            large.append(apart(mine_synthetic, rows, dimension, engine, block))
            print(large[-1], flush=True)
    if model == "none":  # the synthetic vectors alone
        return {"synthetic": large}
    sets = {code: planted(code, distractors, seed, pairs) for code in languages}
    encoder = align.load_encoder(model, prompt=prompt)
    encode = plans.encode_with(encoder, bf16=False)
    near: dict[str, Found] = {
        code: {part: exact_neighbours(encode(each.x), encode(each.y), k=k) for part, each in parts.items()}
        for code, parts in sets.items()
    }
    results = [scored(near, sets, score, direction) for score in SCORES for direction in DIRECTIONS]
    sizes = {
        code: {part: {"x": len(each.x), "y": len(each.y), "pairs": each.pairs} for part, each in parts.items()}
        for code, parts in sets.items()
    }
    about = {"model": Path(model).name, "encoder": encoder.identity(), "k": k, "seed": seed, "sizes": sizes}
    return about | {"results": results, "synthetic": large}


def lines(*parts: str) -> list[str]:
    return [line.strip() for line in plans.lines(*parts)]


def tatoeba(name: str) -> Pairs:
    return list(zip(*(lines("tatoeba", f"tatoeba.{name}-eng.{side}") for side in (name, "eng")), strict=True))


def once(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Pairs of which neither side occurs in another."""
    pairs = [pair for pair in pairs if all(pair)]
    counts = [Counter(pair[side] for pair in pairs) for side in (0, 1)]
    return [pair for pair in pairs if counts[0][pair[0]] == counts[1][pair[1]] == 1]


def planted(code: str, distractors: int, seed: int, limit: int | None) -> dict[str, Planted]:
    """The dev and the test corpora of one language."""
    rng = np.random.default_rng([seed, *code.encode()])

    def shuffled(texts: Iterable[str], without: set[str]) -> Iterator[str]:
        kept = sorted({text for text in texts if text} - without)
        return (kept[i] for i in rng.permutation(len(kept)))

    every = tatoeba(code)
    distinct = once(every)
    distinct = [distinct[i] for i in rng.permutation(len(distinct))[:limit]]
    x_known, y_known = ({pair[side] for pair in every} for side in (0, 1))
    tico = lines("tico19", "en.txt")
    order = rng.permutation(len(tico))
    half = len(tico) // 2
    others = {english for name in LANGUAGES if name != code for _, english in tatoeba(name)}
    mine_only = lines("tico19", f"{LANGUAGES[code]}.txt") if LANGUAGES[code] else []
    x_more = shuffled((mine_only[i] for i in order[:half]) if mine_only else (), x_known)
    y_more = [*shuffled((tico[i] for i in order[half:]), y_known)][:distractors]
    y_more = list(shuffled([*y_more, *list(shuffled(others, y_known))[: 2 * distractors]], set()))
    x_more, y_more = list(x_more)[: 2 * distractors], y_more[: 2 * distractors]
    made = {}
    for at, part in enumerate(PARTS):
        here = distinct[at :: len(PARTS)]
        whole, quarter = len(here) // 2, len(here) // 4
        x = [pair[0] for pair in here[: whole + quarter]]
        y = [pair[1] for pair in here[:whole] + here[whole + quarter :]]
        made[part] = Planted(x + x_more[at :: len(PARTS)], y + y_more[at :: len(PARTS)], whole)
    return made


def scored(near: dict[str, Found], sets: dict[str, dict[str, Planted]], score: str, direction: str) -> dict[str, Any]:
    """The test parts at the thresholds of the dev parts."""

    def pairs(code: str, part: str) -> tuple[Any, Any, int]:
        """Scores, whether each pair is right, and how many there are to be found."""
        found, _ = candidates(*near[code][part], score=score, direction=direction)
        there = sets[code][part].pairs
        return found.scores, (found.x == found.y) & (found.x < there), there

    dev, test = ({code: pairs(code, part) for code in sets} for part in PARTS)
    chosen = {code: best_threshold(*dev[code]) for code in sets}
    by_language = {code: quality(*test[code], chosen[code].threshold) for code in sets}
    scores, right, there = zip(*dev.values(), strict=True)
    shared = best_threshold(np.concatenate(scores), np.concatenate(right), sum(there)).threshold
    row = {
        "score": score, "direction": direction, **mean(by_language.values()), "dev_f1": mean(chosen.values())["f1"],
        "shared": {"threshold": shared, **mean([quality(*test[code], shared) for code in sets])},
        "languages": {code: each._asdict() for code, each in by_language.items()},
    }  # fmt: skip
    print({name: value for name, value in row.items() if name != "languages"}, flush=True)
    return row


def mean(qualities: Iterable[Quality]) -> dict[str, float]:
    """Over languages."""
    listed = list(qualities)
    return {name: float(np.mean([getattr(each, name) for each in listed])) for name in ("precision", "recall", "f1")}


def mine_synthetic(rows: int, dimension: int, engine: str, block: int) -> Row:
    """Seconds and memory of mining ``rows`` among ``rows`` vectors around centres, half of them pairs with noise."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((rows // 200, dimension), dtype=np.float32)
    x, y = (rng.standard_normal((rows, dimension), dtype=np.float32) for _ in range(2))
    for start in range(0, rows, block):  # no temporary array as large as a side
        here, pairs = slice(start, start + block), slice(start, min(start + block, rows // 2))
        for side in (x, y):
            side[here] += centres[rng.integers(len(centres), size=len(side[here]))]
        y[pairs] = x[pairs] + 0.5 * rng.standard_normal(y[pairs].shape, dtype=np.float32)
    cost, found = measured(lambda: mine(x, y, engine=engine, block=block).pairs)
    right = int(((found.x == found.y) & (found.x < rows // 2)).sum())
    return {
        "engine": engine, "rows": rows, "dimension": dimension, "block": block, "seconds": round(cost["wall"], 1),
        "vectors_mb": round(2 * x.nbytes / 1e6), "more_memory_mb": cost["memory"] and round(cost["memory"]),
        "pairs_found": right / (rows // 2),
    }  # fmt: skip


if __name__ == "__main__":
    command_line(mined)
