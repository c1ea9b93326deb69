"""How many pairs of each two languages to take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from align.errors import InputError


@dataclass(frozen=True)
class PairShare:
    """How many of the pairs to take; ``language_pair_quotas`` has the formula."""

    rows: int | None = None
    """Pairs to take in all; None: all there are."""
    temperature: float = 0.5
    """Exponent over unordered language pairs, in [0, 1]: 1 keeps their shares, 0 makes them equal. Only with rows."""
    cap: int | None = None
    """Take at most so many pairs of two languages; none by default."""
    seed: int = 0
    """Seed of the draw; that of a language pair does not depend on the other ones."""

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 1:
            raise InputError(f"temperature must lie in [0, 1], got {self.temperature}")
        for name in ("rows", "cap"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")
        if self.seed < 0:
            raise InputError(f"seed must not be negative, got {self.seed}")


def pair_name(one: str, two: str) -> str:
    """Name of an unordered language pair: ``deu_Latn-eng_Latn``."""
    return "-".join(sorted((one, two)))


def language_pair_quotas(available: Mapping[str, int], share: PairShare) -> dict[str, int]:
    """Pairs to take of each language pair i, of which N_i are there.

    With n_i = min(N_i, cap), p_i = n_i / sum of n and a the temperature (Green, Ponzetto and Glavaš, ACL 2023)::

        q_i = p_i^a / sum of p^a,   m_i = min(n_i, rows * q_i)

    Draws are without replacement, so a language pair with fewer than its quota gives all it has, and the rest of the
    quota goes to the others by the same q: sum of m = min(rows, sum of n). Fractions go to the largest remainders, of
    equal ones to the first name.

    Example: N = (8100, 100), rows 1000, a 0.5: q = (0.9, 0.1), m = (900, 100).
    """
    left = {name: n if share.cap is None else min(n, share.cap) for name, n in sorted(available.items()) if n}
    if share.rows is None or share.rows >= sum(left.values()):
        return left
    taken: dict[str, int] = {}
    rows = share.rows
    while True:
        quotas = _shares(left, rows, share.temperature)
        full = {name: n for name, n in left.items() if quotas[name] >= n}
        if not full:
            return taken | _rounded(quotas, rows)
        taken |= full
        rows -= sum(full.values())
        left = {name: n for name, n in left.items() if name not in full}


def _shares(available: Mapping[str, int], rows: int, temperature: float) -> dict[str, float]:
    weights = {name: n**temperature for name, n in available.items()}
    total = sum(weights.values())
    return {name: rows * weight / total for name, weight in weights.items()}


def _rounded(quotas: Mapping[str, float], rows: int) -> dict[str, int]:
    whole = {name: math.floor(quota) for name, quota in quotas.items()}
    by_remainder = sorted(quotas, key=lambda name: whole[name] - quotas[name])
    for name in by_remainder[: rows - sum(whole.values())]:
        whole[name] += 1
    return whole
