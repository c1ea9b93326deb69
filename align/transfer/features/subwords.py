"""Pieces in common: subwords that the encoder's tokenizer makes of the two languages' texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import nan

from align.transfer.evidence import Evidence
from align.transfer.feature import Feature, Measure


def overlaps(evidence: Evidence, languages: Sequence[str]) -> Measure:
    """sum_v min(p_v, q_v), p and q the shares of the pieces v in the two texts: 0, none in common, to 1, all alike."""
    assert evidence.encoder is not None
    tokenizer = evidence.encoder.tokenizer
    shares: dict[str, dict[int, float]] = {}
    for code in languages:
        lines = [line for line in evidence.texts.get(code, ()) if line.strip()]
        if lines:
            found = tokenizer(lines, add_special_tokens=False, verbose=False)["input_ids"]
            counts = Counter(piece for ids in found for piece in ids)
            shares[code] = {piece: times / counts.total() for piece, times in counts.items()}

    def overlap(source: str, target: str) -> float:
        if source not in shares or target not in shares:
            return nan
        one, other = shares[source], shares[target]
        return sum(min(share, other[piece]) for piece, share in one.items() if piece in other)

    return overlap


def _lacks(evidence: Evidence) -> str:
    enough = evidence.texts and evidence.encoder is not None
    return "" if enough else "subwords need texts and an encoder (--text, --model)"


FEATURE = Feature("subwords", "lexical", overlaps, _lacks)
