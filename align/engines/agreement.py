"""Are the answers of an engine those of the exact search?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from align.similarity.cosine import TIE_TOLERANCE

Floats = NDArray[np.float32]


def agreement(best: Floats, true: Floats, tolerance: float) -> tuple[int, float]:
    """Queries with an answer that is not right, and recall@k."""
    slack = tolerance + TIE_TOLERANCE / 2  # both are rounded to steps of TIE_TOLERANCE
    wrong = np.abs(true - best) > slack
    among = true >= best[:, -1:] - slack
    return int(wrong.any(axis=1).sum()), float(among.mean()) if among.size else 1.0
