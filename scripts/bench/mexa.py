"""MEXA's arithmetic beside the loop that the public code runs: one scipy cosine for each pair of sentences.

    python -m scripts.bench.mexa

Both sides get the same float32 vectors of one layer, parallel sentences with noise. The script fails if any score
differs, or if the ratio is below 5.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.spatial.distance import cosine

from align.tasks.mexa.task import ROUNDING, cosines, mexa_hits
from scripts.bench.harness import Row, command_line, compared


def mexa(*, n: int = 100, calls: int = 5) -> Row:
    rows = []
    for d in (768, 4096):
        x, y = parallel(n, d)
        ours(x, y)  # the first product starts the threads
        cost, score = compared({"loop": lambda: loop(x, y), "ours": lambda: ours(x, y)}, calls)  # noqa: B023
        row = {"dimensions": d} | {name: 1000 * cost[name]["wall"] for name in cost} | {"score": score["ours"]}
        rows.append(row | {"ratio": row["loop"] / row["ours"]})
        if score["loop"] != score["ours"] or rows[-1]["ratio"] < 5:
            sys.exit(f"the two differ, or ours is not 5 times as fast: {rows[-1]}, {score}")
    return {"rows": rows}


def parallel(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Sentences of two languages in a cone, as an encoder's are; the last two of each are copies, so they tie."""
    rng = np.random.default_rng(0)
    meaning = 2 * rng.standard_normal(d) + 2 * rng.standard_normal((n, d)) / d**0.25
    x, y = (np.asarray(meaning + rng.standard_normal((n, d)), dtype=np.float32) for _ in range(2))
    x[-1], y[-1] = x[-2], y[-2]
    return x, y


def ours(x: np.ndarray, y: np.ndarray) -> float:
    return float(mexa_hits(cosines(x, y), tolerance=ROUNDING).mean())


def loop(x: np.ndarray, y: np.ndarray) -> float:
    """All n * n cosines in float64, then for each sentence its row and its column."""
    a, b = x.astype(np.float64), y.astype(np.float64)
    scores = np.array([[1 - cosine(one, other) for other in b] for one in a])
    rivals = ([*np.delete(scores[i], i), *np.delete(scores[:, i], i)] for i in range(len(x)))
    return sum(scores[i, i] > max(others) for i, others in enumerate(rivals)) / len(x)


if __name__ == "__main__":
    command_line(mexa)
