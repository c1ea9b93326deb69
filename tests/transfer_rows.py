"""Pairs of languages whose scores are made of known parts."""

import itertools

import numpy as np

from align.transfer.rows import Rows

CODES = ("amh_Ethi", "arb_Arab", "ben_Beng", "deu_Latn", "ell_Grek", "eng_Latn", "hin_Deva", "rus_Cyrl")


def pairs(codes=CODES):
    return list(itertools.permutations(codes, 2))


def made_rows(*, weights=(2.0, 0.0), noise=0.0, sources=0.0, targets=3.0, codes=CODES, seed=0):
    """Scores = features . weights + what a source and a target add + noise, all drawn."""
    draw = np.random.default_rng(seed)
    every = pairs(codes)
    features = draw.standard_normal((len(every), len(weights)))
    own, hard = (dict(zip(codes, draw.standard_normal(len(codes)) * of, strict=True)) for of in (sources, targets))
    scores = features @ np.array(weights) + [own[s] + hard[t] for s, t in every]
    return Rows.of(every, scores + noise * draw.standard_normal(len(every)), features)
