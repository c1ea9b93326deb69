"""``csls`` and its peers on the same unit vectors, their outputs checked equal.

    python -m scripts.bench.bli --repeats 1                                             # the sizes of docs/bli.md
    python -m scripts.bench.bli --queries 500 --source 4000 --candidates 10000 --dimensions 300

The first table ranks ``--queries`` rows among ``--candidates``; the second has the CSLS neighbourhood means (k = 10) of
``--source`` rows and the candidates, in both directions. The vectors are random unit rows. The ratio to the matrix
product alone is of processor time, which other jobs on the machine change less than the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from align.similarity.cosine import TIE_TOLERANCE, normalize
from align.similarity.csls import csls_top_k, neighbourhood_means
from align.similarity.ranks import best_gold_ranks
from scripts.bench.harness import Row, command_line, compared, named

K, BLOCK = 10, 2048
GEMM, ARGSORT, MUSE = "GEMM alone, in blocks", "full argsort of each query", "MUSE's arithmetic: CSLS, torch.topk"
RANKS, TOP, MEANS = "align: best_gold_ranks, cosine", "align: csls_top_k, k = 10", "align: neighbourhood_means"


def bli(
    *, queries: int = 2_000, source: int = 20_000, candidates: int = 100_000, dimensions: int = 768, repeats: int = 3,
) -> Row:  # fmt: skip
    rows = np.random.default_rng(0).standard_normal((source + candidates, dimensions), dtype=np.float32)
    x, y = normalize(rows[:source]), normalize(rows[source:])
    few = x[:queries]
    gold = np.random.default_rng(1).integers(len(y), size=len(few))
    golds = [[int(row)] for row in gold]

    means_cost, means = compared(means_peers(x, y), repeats)
    r_x, r_y = means[MEANS][0][: len(few)], means[MEANS][1]
    ranks_cost, found = compared({
        GEMM: lambda: gemm(few, y),
        RANKS: lambda: best_gold_ranks(few, y, golds),
        "align: best_gold_ranks, CSLS": lambda: best_gold_ranks(few, y, golds, candidate_means=r_y),
        TOP: lambda: csls_top_k(few, y, K, query_means=r_x, candidate_means=r_y),
        ARGSORT: lambda: argsort_ranks(few, y, gold),
        MUSE: lambda: muse_top(few, y, r_x, r_y),
    }, repeats)  # fmt: skip

    for name, theirs in means.items():
        for mine, other in zip(means[MEANS], theirs or means[MEANS], strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-6, rtol=0, err_msg=name)
    least, most = best_gold_ranks(few, y, golds, ties="for"), found[RANKS]
    assert ((least <= found[ARGSORT]) & (found[ARGSORT] <= most)).all(), "a rank differs by more than ties"
    scores, places = found[TOP]
    expected = 2 * np.einsum("id,ikd->ik", few, y[places]) - r_x[:, None] - r_y[places]
    for other in (expected, found[MUSE][0]):
        np.testing.assert_allclose(scores, other, atol=2 * TIE_TOLERANCE, rtol=0)

    ties = int((found[ARGSORT] != most).sum())
    print(f"{len(few):,} x {len(y):,} x {y.shape[1]}; {ties} ranks differ by a tie; CSLS means of {len(x):,} rows")
    return {"ranks": named(ranks_cost, GEMM), "means": named(means_cost, GEMM), "ties": ties}


def means_peers(x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], Any]]:
    import faiss

    def search(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        index = faiss.IndexFlatIP(rows.shape[1])
        index.add(rows)
        return index.search(queries, K)[0].mean(axis=1)

    return {
        GEMM: lambda: gemm(x, y),
        MEANS: lambda: neighbourhood_means(x, y, k=K),
        "two FAISS flat searches": lambda: (search(x, y), search(y, x)),
        "MUSE's arithmetic: blocks, torch.topk": lambda: (muse_means(x, y), muse_means(y, x)),
    }


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
    others, blocks = torch.from_numpy(y).t(), torch.from_numpy(x).split(1024)
    return torch.cat([(block @ others).topk(K, dim=1).values.mean(dim=1) for block in blocks]).numpy()


def muse_top(queries: np.ndarray, y: np.ndarray, r_x: np.ndarray, r_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all queries with all candidates at once, then the k best."""
    scores = torch.from_numpy(queries) @ torch.from_numpy(y).t()
    scores.mul_(2).sub_(torch.from_numpy(r_x)[:, None]).sub_(torch.from_numpy(r_y))
    top = scores.topk(K, dim=1)
    return top.values.numpy(), top.indices.numpy()


if __name__ == "__main__":
    command_line(bli)
