"""How much text of the source there was to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10, nan

from align.transfer.evidence import Evidence
from align.transfer.feature import Feature, Measure


def sizes(evidence: Evidence, languages: Sequence[str]) -> Measure:
    """log10 of the size of the source's corpus; that of the target is the same for all its sources."""
    return lambda source, target: log10(evidence.sizes[source]) if source in evidence.sizes else nan


FEATURE = Feature(
    "size", "data", sizes, lambda evidence: "" if evidence.sizes else "size needs the sizes of corpora (--sizes)"
)
