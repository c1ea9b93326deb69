"""Whether two languages are written in the same script."""

from __future__ import annotations

from collections.abc import Sequence

from align.text.languages import MIXED, SCRIPT_VARIANTS
from align.transfer.evidence import Evidence
from align.transfer.feature import Feature, Measure


def same_script(evidence: Evidence, languages: Sequence[str]) -> Measure:
    """1 where the codes name scripts that share one of Unicode's (Hans and Hant, Jpan and Hani), else 0."""
    return lambda source, target: float(not _scripts(source).isdisjoint(_scripts(target)))


def _scripts(code: str) -> set[str]:
    script = code.partition("_")[2]
    return set(MIXED.get(script, (SCRIPT_VARIANTS.get(script, script),)))


FEATURE = Feature("script", "lexical", same_script)
