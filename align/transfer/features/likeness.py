"""How near the encoder has the two languages already: its vectors of parallel sentences."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np

from align.similarity.cosine import normalize
from align.transfer.evidence import Evidence
from align.transfer.feature import Feature, Measure

LINES = 100
"""The first of each text that are encoded."""


def cosines(evidence: Evidence, languages: Sequence[str]) -> Measure:
    """Mean over the lines i of cos(x_i, y_i), x and y the vectors of the two languages; NaN without a line of both.

    References:
        Lin et al. 2024, "mPLM-Sim: Better Cross-Lingual Similarity and Transfer in Multilingual Pretrained Language
        Models", Findings of EACL.
    """
    assert evidence.encoder is not None
    units, filled = {}, {}
    for code in languages:
        lines = list(evidence.texts.get(code, ()))[:LINES]
        if any(line.strip() for line in lines):
            filled[code] = np.array([bool(line.strip()) for line in lines])
            vectors = np.zeros((len(lines), evidence.encoder.dimension), dtype=np.float32)
            vectors[filled[code]] = normalize(
                evidence.encoder.encode([line for line in lines if line.strip()], language=code)
            )
            units[code] = vectors

    def cosine(source: str, target: str) -> float:
        if source not in units or target not in units:
            return nan
        both = filled[source] & filled[target]
        return float((units[source] * units[target]).sum(axis=1)[both].mean()) if both.any() else nan

    return cosine


def _lacks(evidence: Evidence) -> str:
    enough = evidence.texts and evidence.encoder is not None and evidence.parallel
    return "" if enough else "likeness needs parallel texts and an encoder (--text, --parallel, --model)"


FEATURE = Feature("likeness", "encoder", cosines, _lacks)
