"""Time of MEXA's arithmetic, beside the loop that the public code runs: one scipy cosine for each pair of sentences.

    OMP_NUM_THREADS=1 python scripts/bench_mexa.py

The loop is stated anew here: n * n calls of ``scipy.spatial.distance.cosine`` in float64, then for each sentence its
row and its column. Both sides get the same float32 vectors of one layer, parallel sentences with noise; "ours" is
``mexa_hits(cosines(x, y))``. "ms" is the median wall time of a layer over the calls, the two sides in turn. The script
fails if any score differs, or if the ratio is below 5.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cosine

from align.tasks.mexa.task import ROUNDING, cosines, mexa_hits

Vectors = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100, help="sentences (default 100)")
    parser.add_argument("--calls", type=int, default=5, help="timed calls of each side (default 5)")
    arguments = parser.parse_args()
    print(f"n = {arguments.n}, one layer, float32 vectors, median of {arguments.calls} calls")
    print(f"{'d':>6}{'loop ms':>10}{'ours ms':>10}{'ratio':>8}{'score':>8}")
    for d in (768, 4096):
        layers = [parallel(arguments.n, d, seed) for seed in range(arguments.calls)]
        ours(*layers[0])  # the first product starts the threads
        loop_ms, ours_ms, scores = [], [], []
        for x, y in layers:
            by_loop, milliseconds = timed(loop, x, y)
            loop_ms.append(milliseconds)
            by_us, milliseconds = timed(ours, x, y)
            ours_ms.append(milliseconds)
            if by_loop != by_us:
                sys.exit(f"d = {d}: the loop scores {by_loop}, we score {by_us}")
            scores.append(by_us)
        slow, fast = statistics.median(loop_ms), statistics.median(ours_ms)
        print(f"{d:6}{slow:10.1f}{fast:10.2f}{slow / fast:7.0f}x{statistics.mean(scores):8.3f}")
        if slow < 5 * fast:
            sys.exit(f"d = {d}: less than 5 times as fast")


def parallel(n: int, d: int, seed: int) -> tuple[Vectors, Vectors]:
    """Sentences of two languages in a cone, as an encoder's are; the last two of each are copies, so they tie."""
    rng = np.random.default_rng(seed)
    meaning = 2 * rng.standard_normal(d) + 2 * rng.standard_normal((n, d)) / d**0.25
    x, y = (np.asarray(meaning + rng.standard_normal((n, d)), dtype=np.float32) for _ in range(2))
    x[-1], y[-1] = x[-2], y[-2]
    return x, y


def timed(run: Callable[[Vectors, Vectors], float], x: Vectors, y: Vectors) -> tuple[float, float]:
    start = time.perf_counter()
    score = run(x, y)
    return score, 1000 * (time.perf_counter() - start)


def ours(x: Vectors, y: Vectors) -> float:
    return float(mexa_hits(cosines(x, y), tolerance=ROUNDING).mean())


def loop(x: Vectors, y: Vectors) -> float:
    n = len(x)
    table = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            table[i, j] = 1 - cosine(x[i].astype(np.float64), y[j].astype(np.float64))
    hits = 0
    for i in range(n):
        rivals = [*np.delete(table[i], i), *np.delete(table[:, i], i)]
        hits += table[i, i] > max(rivals)
    return hits / n


if __name__ == "__main__":
    main()
