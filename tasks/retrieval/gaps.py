"""What is lost when the same language is written in its other script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from align.tasks.retrieval.task import same_language


@dataclass(frozen=True)
class ScriptGap:
    """P@1 lost when the same language is written in its other script."""

    language: str
    """ISO 639-3."""
    scripts: tuple[str, str]
    """A and B, in alphabetical order."""
    other: str
    """The language X that both are searched against."""
    direction: str
    """``to_other``: P@1(A -> X) - P@1(B -> X); ``from_other``: P@1(X -> A) - P@1(X -> B)."""
    gap: float
    """-1 to 1; above 0 when A does better."""


def script_gaps(found: Mapping[tuple[str, str], float]) -> tuple[ScriptGap, ...]:
    """Gaps of every language scored in two scripts A, B against the same other language X, in each direction.

    gap = P@1(A -> X) - P@1(B -> X), and P@1(X -> A) - P@1(X -> B), with A before B in the alphabet.

    Args:
        found: P@1 by queries and candidates.
    """
    codes = sorted({code for pair in found for code in pair})
    gaps = []
    for a, b in same_language(codes):
        for other in (code for code in codes if code.partition("_")[0] != a.partition("_")[0]):
            for direction, first, second in (
                ("to_other", (a, other), (b, other)),
                ("from_other", (other, a), (other, b)),
            ):
                if first in found and second in found:
                    scripts = (a.partition("_")[2], b.partition("_")[2])
                    gap = found[first] - found[second]
                    gaps.append(ScriptGap(a.partition("_")[0], scripts, other, direction, gap))
    return tuple(gaps)
