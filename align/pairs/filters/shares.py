"""How many lines of each language, or pairs of each two languages, to take, and which."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError


@dataclass(frozen=True)
class Share:
    """How many of a language's usable lines to take; ``quotas`` has the formula."""

    share: Annotated[float, "Share of a language's lines, in (0, 1] (TransliCo 0.05, PPA 0.1)."] = 1.0
    minimum: Annotated[int, "At least so many lines of a language, or all it has (PPA 10000)."] = 1
    cap: Annotated[int | None, "At most so many lines of a language."] = None
    temperature: Annotated[float, "Exponent over languages: 1 natural, 0 gives each as many as the smallest has."] = 1.0
    seed: Annotated[
        int, "Of the draw; that of a language does not depend on other languages or the order of files."
    ] = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError(f"share must lie in (0, 1], got {self.share}")
        if not 0 <= self.temperature <= 1:
            raise InputError(f"temperature must lie in [0, 1], got {self.temperature}")
        if self.minimum < 0 or self.seed < 0:
            raise InputError(f"minimum and seed must not be negative, got {self.minimum} and {self.seed}")
        if self.cap is not None and self.cap < max(self.minimum, 1):
            raise InputError(f"cap must be at least 1 and at least the minimum, got {self.cap}")


def quotas(available: Mapping[str, int], share: Share) -> dict[str, int]:
    """Lines to take from each language.

    With N_l lines available and x rounded half up::

        n_l = min(N_l, cap, max(minimum, round(share * N_l)))
        m_l = round(n_min^(1 - temperature) * n_l^temperature),   n_min = the smallest n_l above 0

    so that m_l is proportional to n_l^temperature, the smallest language keeps all its n_l, and n_min <= m_l <= n_l.

    Example: N = (1000, 200, 10), share 0.1, minimum 25, cap 81. Then n = (81, 25, 10): a hundred is capped, twenty is
    raised, ten is all there is. Temperature 0.5 gives m = (28, 16, 10), for sqrt(10 * 81) = 28.46 and sqrt(10 * 25) =
    15.81.
    """
    cap = math.inf if share.cap is None else share.cap
    first = {lang: int(min(n, cap, max(share.minimum, _round(share.share * n)))) for lang, n in available.items()}
    smallest = min((n for n in first.values() if n), default=0)
    scale = smallest ** (1 - share.temperature)
    return {lang: _round(scale * n**share.temperature) if n else 0 for lang, n in first.items()}


def draw(available: int, wanted: int, *, language: str, seed: int) -> NDArray[np.int64]:
    """``wanted`` different positions out of ``available``, ascending: chosen lines keep their order."""
    generator = np.random.default_rng([seed, *language.encode()])
    return np.sort(generator.choice(available, wanted, replace=False, shuffle=False)).astype(np.int64)


def _round(x: float) -> int:
    return math.floor(x + 0.5)


@dataclass(frozen=True)
class PairShare:
    """How many of the pairs to take; ``language_pair_quotas`` has the formula."""

    rows: Annotated[int | None, "Pairs to take in all, of those there are."] = None
    temperature: Annotated[float, "Of rows, exponent over language pairs: 1 natural, 0 makes them equal."] = 0.5
    cap: Annotated[int | None, "At most so many pairs of two languages."] = None
    seed: Annotated[int, "Of the draws, which for a language pair does not depend on the others."] = 0

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
