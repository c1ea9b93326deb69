"""What the fall of the script barrier costs in likeness: each model is a point of native-roman P@1 against STS.

    python -m scripts.experiments barrier E5 --prompt "query: " --set train.bf16=true --to runs/ours
    align merge E5 runs/ours/model --weights 0.3,0.7 --out runs/ours-70
    MODELS='"default recipe"=runs/ours/model "70 %"=runs/ours-70 "tower"=runs/tower/model'
    python -m scripts.experiments.likeness E5 $MODELS --prompt "query: " --out docs/results/likeness.json

Dev parts alone: the last 200 romanised sentences of the training half of Dakshina in twelve languages, both ways among
200; the same queries in the vectors that the untouched MODEL gives to native text; the first 400 pairs of the dev files
of the STS benchmark, native text. Models are drawn in the order in which they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import mean

import numpy as np
import torch
from numpy.typing import NDArray

import align
from align.encoders.encoder import Encoder
from align.similarity.ranks import gold_ranks
from align.tasks import StsSet, read_sts
from align.tasks.statistics.intervals import macro_interval
from align.tasks.sts import sts
from align.text.languages import latin
from scripts.bench.harness import Row, command_line, data
from scripts.experiments.plans import LANGUAGES, romanised
from scripts.experiments.romanised import cell

PAIRS = 400
Vectors = NDArray[np.float32]


def likeness(model: str, models: Sequence[str], *, prompt: str | None = None) -> Row:
    """Measure each, the untouched one first."""
    named = [one.partition("=")[::2] for one in models]
    points, stored = [], dict[str, Vectors]()
    for name, place in [("untouched", model), *named]:
        encoder = align.load_encoder(place, prompt=prompt if place == model else None)
        with torch.autocast("cpu", torch.bfloat16):
            point = {"name": name, **scripts(encoder, stored), **sts_dev(encoder)}
        print(point, flush=True)
        points.append(point)
    return {"pairs": PAIRS, "points": points}


def scripts(encoder: Encoder, stored: dict[str, Vectors]) -> Row:
    """P@1 native to roman and back, both among the encoder's own vectors; roman in ``stored``, filled when empty."""
    found: dict[str, list[Vectors]] = {"native_roman": [], "old_index": []}
    for code, language in LANGUAGES["dakshina"].items():
        texts = [*zip(*romanised(code, "dev"), strict=True)]
        native, roman = (encoder.encode(texts[i], language=of) for i, of in enumerate((language, latin(language))))
        old = stored.setdefault(language, native)
        found["native_roman"] += [right(native, roman), right(roman, native)]
        found["old_index"].append(right(roman, old))
    return {name: cell(mean(one.mean() for one in of), macro_interval(of)) for name, of in found.items()}


def right(queries: Vectors, candidates: Vectors) -> Vectors:
    return (gold_ranks(queries, candidates) == 1).astype(np.float32)


def sts_dev(encoder: Encoder) -> Row:
    """Spearman's rho by language, and its mean."""
    rho = {}
    for name, every in read_sts(data() / "sts" / "stsb", split="dev").items():
        encode = partial(encoded, encoder, LANGUAGES["stages"][name])
        rho[name] = round(sts(encode, {name: first_pairs(every)}).headline(), 4)
    return {"sts": round(mean(rho.values()), 4), "sts_by_language": rho}


def encoded(encoder: Encoder, language: str, texts: Sequence[str], _: str) -> Vectors:
    return encoder.encode(texts, language=language)


def first_pairs(every: StsSet) -> StsSet:
    return replace(every, scores=every.scores[:PAIRS], first=every.first[:PAIRS], second=every.second[:PAIRS])


if __name__ == "__main__":
    command_line(likeness)
