"""Seconds and memory of ``csls`` and of its peers on the same unit vectors, their outputs checked equal.

    python scripts/bench_bli.py                                             # the sizes of docs/bli.md
    python scripts/bench_bli.py --queries 500 --source 4000 --candidates 10000 --threads 1

The first table ranks ``--queries`` rows among ``--candidates``; the second has the CSLS neighbourhood means (k = 10) of
``--source`` rows and the candidates, in both directions. The vectors are random unit rows, or with ``--vectors`` those
of an .npy file: its first rows are the source, the next the candidates. The repeats are interleaved and the best of
each counts. ``memory`` is what a peer added to the resident memory at its peak (Linux only). The ratio is of processor
time with one thread, which other jobs on the machine change less than the clock, and of the clock with more.
"""

from __future__ import annotations

import argparse
import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl
import torch

from align.similarity.cosine import TIE_TOLERANCE, normalize
from align.similarity.csls import best_gold_ranks, csls_top_k, neighbourhood_means

K = 10
BLOCK = 2048
GEMM = "GEMM alone, in blocks"
Peers = dict[str, Callable[[], Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--source", type=int, default=20_000)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=768)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--vectors", type=Path, help="an .npy matrix instead of random rows")
    options = parser.parse_args()
    x, y = vectors(options)
    threads(options.threads)
    rng = np.random.default_rng(1)
    queries = x[: options.queries]
    gold = rng.integers(len(y), size=len(queries))

    means, seconds = run(means_peers(x, y), options.repeats)
    check_means(means)
    of_queries, of_y = means["align: neighbourhood_means"][0][: len(queries)], means["align: neighbourhood_means"][1]
    ranks, rank_seconds = run(rank_peers(queries, y, gold, of_queries, of_y), options.repeats)
    ties = check_ranks(ranks, queries, y, gold)
    check_top(ranks, queries, y, of_queries, of_y)

    print(
        f"\n{len(queries):,} x {len(y):,} x {y.shape[1]}, {options.threads} thread(s); {ties} ranks differ by a tie\n"
    )
    print_table(rank_seconds, options.threads)
    print(f"\nCSLS means, {len(x):,} x {len(y):,} x {y.shape[1]}, {options.threads} thread(s)\n")
    print_table(seconds, options.threads)


def vectors(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    count = options.source + options.candidates
    if options.queries > options.source:
        raise SystemExit(f"--queries {options.queries} are among the --source {options.source} rows: expected no more")
    if options.vectors:
        rows = np.load(options.vectors, mmap_mode="r")
        if len(rows) < count:
            raise SystemExit(f"{options.vectors} has {len(rows)} rows: expected --source + --candidates = {count}")
    else:
        rows = np.random.default_rng(0).standard_normal((count, options.dimensions), dtype=np.float32)
    return normalize(rows[: options.source]), normalize(rows[options.source : count])


def threads(count: int) -> None:
    torch.set_num_threads(count)
    try:
        import faiss
    except ImportError:
        print("no faiss: its row is left out (pip install 'align-encoders[faiss]')")
    else:
        faiss.omp_set_num_threads(count)
    threadpoolctl.threadpool_limits(count)  # BLAS of numpy and of FAISS, once both are loaded


def rank_peers(queries: np.ndarray, y: np.ndarray, gold: np.ndarray, r_x: np.ndarray, r_y: np.ndarray) -> Peers:
    golds = [[int(row)] for row in gold]
    return {
        GEMM: lambda: gemm(queries, y),
        "align: best_gold_ranks, cosine": lambda: best_gold_ranks(queries, y, golds),
        "align: best_gold_ranks, CSLS": lambda: best_gold_ranks(queries, y, golds, candidate_means=r_y),
        "align: csls_top_k, k = 10": lambda: csls_top_k(queries, y, K, query_means=r_x, candidate_means=r_y),
        "full argsort of each query": lambda: argsort_ranks(queries, y, gold),
        "MUSE's arithmetic: CSLS, torch.topk": lambda: muse_top(queries, y, r_x, r_y),
    }


def means_peers(x: np.ndarray, y: np.ndarray) -> Peers:
    peers: Peers = {GEMM: lambda: gemm(x, y), "align: neighbourhood_means": lambda: neighbourhood_means(x, y, k=K)}
    try:
        import faiss
    except ImportError:
        pass
    else:

        def search(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
            index = faiss.IndexFlatIP(rows.shape[1])
            index.add(rows)
            return index.search(queries, K)[0].mean(axis=1)

        peers["two FAISS flat searches"] = lambda: (search(x, y), search(y, x))
    peers["MUSE's arithmetic: blocks, torch.topk"] = lambda: (muse_means(x, y), muse_means(y, x))
    return peers


def gemm(x: np.ndarray, y: np.ndarray) -> None:
    tile = np.empty(BLOCK * BLOCK, dtype=np.float32)
    for i in range(0, len(x), BLOCK):
        for j in range(0, len(y), BLOCK):
            a, b = x[i : i + BLOCK], y[j : j + BLOCK]
            np.matmul(a, b.T, out=tile[: len(a) * len(b)].reshape(len(a), len(b)))


def argsort_ranks(queries: np.ndarray, y: np.ndarray, gold: np.ndarray) -> np.ndarray:
    ranks = []
    for i in range(0, len(queries), 500):
        order = np.argsort(-(queries[i : i + 500] @ y.T), axis=1)
        ranks.append(1 + (order == gold[i : i + 500, None]).argmax(axis=1))
    return np.concatenate(ranks)


def muse_means(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean of the k best of each row of ``x``, blocks of 1,024 rows."""
    others = torch.from_numpy(y).t()
    blocks = torch.from_numpy(x).split(1024)
    return torch.cat([(block @ others).topk(K, dim=1).values.mean(dim=1) for block in blocks]).numpy()


def muse_top(queries: np.ndarray, y: np.ndarray, r_x: np.ndarray, r_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all queries with all candidates at once, then the k best."""
    scores = torch.from_numpy(queries) @ torch.from_numpy(y).t()
    scores.mul_(2).sub_(torch.from_numpy(r_x)[:, None]).sub_(torch.from_numpy(r_y))
    top = scores.topk(K, dim=1)
    return top.values.numpy(), top.indices.numpy()


def run(peers: Peers, repeats: int) -> tuple[dict[str, Any], dict[str, tuple[float, float, float | None]]]:
    """Output of each peer, and its best clock seconds, best processor seconds and MiB added at the peak."""
    outputs: dict[str, Any] = {}
    best: dict[str, tuple[float, float, float | None]] = {}
    for _ in range(repeats):
        for name, peer in peers.items():
            before = reset_peak()
            clock, processor = time.perf_counter(), time.process_time()
            outputs[name] = peer()
            clock, processor = time.perf_counter() - clock, time.process_time() - processor
            memory = None if before is None else (resident("VmHWM") - before) / 1024
            if name in best:
                clock, processor = min(clock, best[name][0]), min(processor, best[name][1])
                memory = None if memory is None else max(memory, best[name][2] or 0)
            best[name] = clock, processor, memory
    return outputs, best


def reset_peak() -> int | None:
    """Kibibytes resident now, the peak being set back to them; ``None`` where the system cannot."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what was freed is given back, so that the next peer's use of it counts
        Path("/proc/self/clear_refs").write_text("5")
        return resident("VmRSS")
    except (AttributeError, OSError):
        return None


def resident(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def check_means(outputs: dict[str, Any]) -> None:
    ours = outputs["align: neighbourhood_means"]
    for name, theirs in outputs.items():
        if name != GEMM:
            for mine, other in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(mine, other, atol=1e-6, rtol=0, err_msg=name)


def check_ranks(outputs: dict[str, Any], queries: np.ndarray, y: np.ndarray, gold: np.ndarray) -> int:
    """The argsort's rank lies between ours with ties for and ties against; how many of them are not ours."""
    against, sort = outputs["align: best_gold_ranks, cosine"], outputs["full argsort of each query"]
    least = best_gold_ranks(queries, y, [[int(row)] for row in gold], ties="for")
    assert ((least <= sort) & (sort <= against)).all(), "a rank differs from that of the argsort by more than ties"
    return int((sort != against).sum())


def check_top(outputs: dict[str, Any], queries: np.ndarray, y: np.ndarray, r_x: np.ndarray, r_y: np.ndarray) -> None:
    """The scores are MUSE's, and every candidate has the score at its place; ties may change places."""
    scores, places = outputs["align: csls_top_k, k = 10"]
    np.testing.assert_allclose(
        scores, outputs["MUSE's arithmetic: CSLS, torch.topk"][0], atol=2 * TIE_TOLERANCE, rtol=0
    )
    expected = 2 * np.einsum("id,ikd->ik", queries, y[places]) - r_x[:, None] - r_y[places]
    np.testing.assert_allclose(scores, expected, atol=2 * TIE_TOLERANCE, rtol=0)


def print_table(best: dict[str, tuple[float, float, float | None]], threads: int) -> None:
    which = 1 if threads == 1 else 0
    print("| | seconds | processor seconds | ratio to GEMM | memory |\n|---|---|---|---|---|")
    for name, row in best.items():
        memory = "" if row[2] is None else f"{row[2]:.0f} MiB"
        print(f"| {name} | {row[0]:.2f} | {row[1]:.2f} | {row[which] / best[GEMM][which]:.2f} | {memory} |")


if __name__ == "__main__":
    main()
