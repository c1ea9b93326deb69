"""How far one word is from another."""

from __future__ import annotations

COMPARED = 60
"""Characters of each word that are compared; an address on the web can be much longer."""


def edit_distance(a: str, b: str) -> float:
    """Levenshtein distance of two words, divided by the length of the longer one: 0 equal, 1 nothing in common.

    Insertions, deletions and substitutions of characters (code points) cost 1. Case does not count, and only the first
    ``COMPARED`` characters do. Two empty words are equal.
    """
    a, b = a.casefold()[:COMPARED], b.casefold()[:COMPARED]
    if a == b:
        return 0.0
    row = list(range(len(b) + 1))  # from the first i characters of a to the first j of b
    for i, one in enumerate(a, 1):
        corner, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (one != other))
    return row[-1] / max(len(a), len(b))
