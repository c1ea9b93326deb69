"""How many lines of each language to take, and which."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError


@dataclass(frozen=True)
class Share:
    """How many of a language's usable lines to take; ``quotas`` has the formula."""

    share: float = 1.0
    """Share of a language's lines, in (0, 1]. TransliCo: 0.05; PPA: 0.1 with a minimum of 10000."""
    minimum: int = 1
    """Take at least so many lines of a language, or all it has; 1 keeps every language in."""
    cap: int | None = None
    """Take at most so many lines of a language; none by default."""
    temperature: float = 1.0
    """Exponent over languages, in [0, 1]: 1 changes nothing, 0 gives every language as many as the smallest."""
    seed: int = 0
    """Seed of the draw; the draw of a language does not depend on the other languages or on the order of the files."""

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
