"""Real pairs hidden among sentences without a translation: how many of them mining finds, and how many others.

    ALIGN_DATA=/path/to/data python scripts/mine_planted.py MODEL --prompt "query: " --out runs/mine.json

For each language two pairs of corpora are planted from Tatoeba, one to choose the threshold on (dev), one to report
(test), which share no sentence: half of their pairs are whole, of a quarter the English side is left out, of a quarter
the other. To both sides come --distractors sentences whose translation is in neither: English ones from the pairs of
other languages and from TICO-19, of the language from TICO-19 where it has it (other lines than the English ones).
Sentences that occur twice in a side, and English distractors that occur in the language's own pairs, are left out.

Reported are precision, recall and F1 at the threshold of the best dev F1 of each language, and of all languages
together (shared). --synthetic N mines N among N vectors as well, exactly and with FAISS, and gives seconds and memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_bli import reset_peak, resident
from provenance import ran

from align.files.whole import write_json
from align.mining.mining import candidates, mine
from align.mining.pairs import Quality, best_threshold, quality
from align.similarity.margin import SCORES
from align.similarity.neighbours import Neighbours, exact_neighbours

LANGUAGES = {
    "ara": "ar", "ben": "bn", "cmn": "zh", "ell": "", "hin": "hi", "ind": "id", "jpn": "", "kat": "", "khm": "km",
    "mar": "mr", "pes": "fa", "rus": "ru", "swh": "sw", "tam": "ta", "urd": "ur",
}  # fmt: skip
"""Tatoeba's code and TICO-19's, "" where that has none."""
DIRECTIONS = ("forward", "intersection", "max")
PARTS = ("dev", "test")


@dataclass(frozen=True)
class Planted:
    """Two sides; row i of ``x`` translates row i of ``y`` for i < pairs, and no other row has a partner."""

    x: list[str]
    y: list[str]
    pairs: int


def lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n")]


def once(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs of which neither side occurs in another."""
    pairs = [pair for pair in pairs if all(pair)]
    counts = [Counter(pair[side] for pair in pairs) for side in (0, 1)]
    return [pair for pair in pairs if counts[0][pair[0]] == counts[1][pair[1]] == 1]


def planted(data: Path, code: str, distractors: int, seed: int, limit: int | None) -> dict[str, Planted]:
    """The dev and the test corpora of one language."""
    rng = np.random.default_rng([seed, *code.encode()])

    def tatoeba(name: str) -> list[tuple[str, str]]:
        at = data / "tatoeba" / f"tatoeba.{name}-eng."
        return list(zip(lines(Path(f"{at}{name}")), lines(Path(f"{at}eng")), strict=True))

    def shuffled(texts: Iterable[str], without: set[str]) -> Iterator[str]:
        kept = sorted({text for text in texts if text} - without)
        return (kept[i] for i in rng.permutation(len(kept)))

    every = tatoeba(code)
    distinct = once(every)
    distinct = [distinct[i] for i in rng.permutation(len(distinct))[:limit]]
    x_known, y_known = ({pair[side] for pair in every} for side in (0, 1))
    tico = lines(data / "tico19" / "en.txt")
    order = rng.permutation(len(tico))
    half = len(tico) // 2
    others = {english for name in LANGUAGES if name != code for _, english in tatoeba(name)}
    mine_only = lines(data / "tico19" / f"{LANGUAGES[code]}.txt") if LANGUAGES[code] else []
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


def encoded(
    encode: Callable[[Sequence[str]], np.ndarray], sets: Iterable[Planted]
) -> Callable[[list[str]], np.ndarray]:
    """A function from texts to vectors that has encoded each text of the sets once."""
    texts = sorted({text for each in sets for side in (each.x, each.y) for text in side})
    rows = {text: row for row, text in enumerate(texts)}
    vectors = encode(texts)
    return lambda given: vectors[[rows[text] for text in given]]


Found = dict[str, tuple[Neighbours, Neighbours]]


def scored(near: Found, sets: dict[str, Planted], score: str, direction: str) -> dict[str, tuple[Any, Any, int]]:
    """Part -> scores of the pairs, whether each is right, and how many there are to be found."""
    made = {}
    for part in PARTS:
        pairs, _ = candidates(*near[part], score=score, direction=direction)
        made[part] = (pairs.scores, (pairs.x == pairs.y) & (pairs.x < sets[part].pairs), sets[part].pairs)
    return made


def measured(near: dict[str, Found], sets: dict[str, dict[str, Planted]], score: str, direction: str) -> dict[str, Any]:
    """The test parts at the thresholds of the dev parts."""
    found = {code: scored(near[code], sets[code], score, direction) for code in sets}
    chosen = {code: best_threshold(*found[code]["dev"]) for code in sets}
    by_language = {code: quality(*found[code]["test"], chosen[code].threshold) for code in sets}
    shared = best_threshold(
        np.concatenate([found[code]["dev"][0] for code in sets]),
        np.concatenate([found[code]["dev"][1] for code in sets]), sum(found[code]["dev"][2] for code in sets),
    ).threshold  # fmt: skip
    at_shared = [quality(*found[code]["test"], shared) for code in sets]
    return {
        "score": score, "direction": direction, **mean(by_language.values()), "dev_f1": mean(chosen.values())["f1"],
        "shared": {"threshold": shared, **mean(at_shared)},
        "languages": {code: each.to_json() for code, each in by_language.items()},
    }  # fmt: skip


def mean(qualities: Iterable[Quality]) -> dict[str, float]:
    """Over languages."""
    listed = list(qualities)
    return {name: float(np.mean([getattr(each, name) for each in listed])) for name in ("precision", "recall", "f1")}


def synthetic(rows: int, dimension: int, engine: str, block: int) -> dict[str, Any]:
    """Seconds and memory of mining ``rows`` among ``rows`` vectors around centres, half of them pairs with noise."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((rows // 200, dimension), dtype=np.float32)
    x, y = (rng.standard_normal((rows, dimension), dtype=np.float32) for _ in range(2))
    for start in range(0, rows, block):  # no temporary array as large as a side
        here, pairs = slice(start, start + block), slice(start, min(start + block, rows // 2))
        for side in (x, y):
            side[here] += centres[rng.integers(len(centres), size=len(side[here]))]
        y[pairs] = x[pairs] + 0.5 * rng.standard_normal(y[pairs].shape, dtype=np.float32)
    before = reset_peak()
    began = time.perf_counter()
    pairs = mine(x, y, engine=engine, block=block).pairs
    seconds = time.perf_counter() - began
    peak = None if before is None else round((resident("VmHWM") - before) / 1024)
    right = int(((pairs.x == pairs.y) & (pairs.x < rows // 2)).sum())
    return {
        "engine": engine, "rows": rows, "dimension": dimension, "block": block, "seconds": round(seconds, 1),
        "vectors_mb": round(2 * x.nbytes / 1e6), "more_memory_mb": peak, "pairs_found": right / (rows // 2),
    }  # fmt: skip


def in_own_process(args: argparse.Namespace, engine: str, rows: int) -> dict[str, Any]:
    """``synthetic`` in a process of its own, whose peak memory is then its own."""
    words = [sys.executable, __file__, "none", "--out", "none", "--synthetic", str(rows), "--only", engine]
    words += ["--dimension", str(args.dimension), "--block", str(args.block), "--threads", str(args.threads)]
    result: dict[str, Any] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
    print(json.dumps(result), flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="none: the synthetic vectors alone")
    parser.add_argument("--prompt", default=None)
    parser.add_argument("--languages", default=",".join(LANGUAGES), help="codes of Tatoeba, with commas")
    parser.add_argument("--pairs", type=int, default=None, help="at most so many pairs of Tatoeba per language")
    parser.add_argument("--distractors", type=int, default=400, help="sentences added to each side")
    parser.add_argument("-k", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--synthetic", type=int, nargs="*", default=[], help="mine so many vectors among as many, too")
    parser.add_argument("--synthetic-faiss", type=int, nargs="*", default=[], help="the same, by FAISS alone")
    parser.add_argument("--dimension", type=int, default=256, help="of the synthetic vectors")
    parser.add_argument("--block", type=int, default=2048)
    parser.add_argument("--only", help=argparse.SUPPRESS)  # one synthetic engine, on stdout
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(synthetic(args.synthetic[0], args.dimension, args.only, args.block)))
        return
    sizes = [(engine, rows) for rows in args.synthetic for engine in ("exact", "faiss")]
    large = [in_own_process(args, *each) for each in [*sizes, *(("faiss", rows) for rows in args.synthetic_faiss)]]
    if args.model == "none":
        write_json(args.out, {"synthetic": large} | ran(args.threads))
        return
    import torch

    import align

    torch.set_num_threads(args.threads)
    data = Path(os.environ["ALIGN_DATA"])
    codes = args.languages.split(",")
    sets = {code: planted(data, code, args.distractors, args.seed, args.pairs) for code in codes}
    encoder = align.load_encoder(args.model, prompt=args.prompt)
    vectors_of = encoded(
        lambda texts: encoder.encode(texts, progress=True), [each for parts in sets.values() for each in parts.values()]
    )
    near: dict[str, Found] = {
        code: {part: exact_neighbours(vectors_of(each.x), vectors_of(each.y), k=args.k) for part, each in parts.items()}
        for code, parts in sets.items()
    }
    results = [measured(near, sets, score, direction) for score in SCORES for direction in DIRECTIONS]
    for row in results:
        print(
            f"{row['score']:9s}{row['direction']:13s}P {row['precision']:.3f} R {row['recall']:.3f} "
            f"F1 {row['f1']:.3f}   shared threshold F1 {row['shared']['f1']:.3f}",
            flush=True,
        )
    sizes = {
        code: {part: {"x": len(each.x), "y": len(each.y), "pairs": each.pairs} for part, each in parts.items()}
        for code, parts in sets.items()
    }
    result = {
        "model": Path(args.model).name, "encoder": encoder.identity(), "k": args.k, "seed": args.seed, "sizes": sizes,
        "results": results,
    }  # fmt: skip
    write_json(args.out, result | {"synthetic": large} | ran(args.threads))


if __name__ == "__main__":
    main()
