"""Search in many vectors: exact and with FAISS, in one process and on the same vectors and queries.

    python -m scripts.bench.search --model E5 --threads 2 --out docs/results/search-indexes.json
    python -m scripts.bench.search --rows 20000 --factories Flat IVF128,Flat HNSW16         # random vectors

The rows are encoded words of bli/vocab, and the queries other words; without a model they are random.

Each row of the result is an index built with ``align.index``: seconds to train and to add, bytes of a vector on disk,
memory added at the peak of the build (what it holds, and the exact search's tiles), and at each search effort recall@10
against exact search and queries a second, all of them in one call and one by one. ``loaded`` is the memory that opening
the index and searching it once adds beside mapped files. The last rows are exact search, ours and that of peers, on the
same vectors in memory; the rows found are checked equal.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from align.encoders.checkpoint import load_encoder
from align.files.whole import read_lines
from align.indexes.approximate import effort_of_all
from align.indexes.build import index
from align.indexes.exact import ExactIndex
from align.indexes.index import EXACT, Index, load_index
from align.similarity.cosine import normalize
from align.vectors.folder import Vectors
from align.vectors.writing import save_vectors
from scripts.bench.harness import Row, command_line, data, measured, reset_peak, resident

K = 10
SINGLE = 20  # queries asked one by one


def search(
    *, model: str | None = None, rows: int = 1_000_000, dimension: int = 384, queries: int = 200,
    factories: Sequence[str] = ("Flat", "IVF1024,Flat", "HNSW16", "IVF1024,PQ48"), train_rows: int = 40_000,
) -> Row:  # fmt: skip
    rng, made_of = np.random.default_rng(2), "random"
    if model:
        files = sorted((data() / "bli" / "vocab").glob("*_vocab.txt.gz"))
        words = list(dict.fromkeys(word for file in files for word in read_lines(file)))
        chosen = [words[i] for i in rng.permutation(len(words))[: rows + queries]]
        every = normalize(load_encoder(model).encode(chosen, progress=True))
        made_of = f"words of {len(files)} languages, by {Path(model).name}; the queries are other words"
    else:
        every = normalize(rng.standard_normal((rows + queries, dimension), dtype=np.float32))
    stored, asked = every[:-queries], every[-queries:]
    with tempfile.TemporaryDirectory() as folder:
        ids = [str(i) for i in range(len(stored))]
        vectors = save_vectors(Path(folder) / "vectors", ids, stored, texts=ids, store_texts=False, encoder={})
        exact = index(vectors, Path(folder) / EXACT).search(asked, K)[1]
        found = [built(Path(folder), vectors, asked, exact, factory, train_rows) for factory in factories]
    about = {"vectors": made_of, "rows": len(stored), "dimension": stored.shape[1], "queries": len(asked)}
    return about | {"indexes": found, "peers": flat_peers(stored, asked)}


def built(folder: Path, vectors: Vectors, queries: np.ndarray, exact: np.ndarray, factory: str, most: int) -> Row:
    """An index, built, opened and searched at several efforts."""
    train = {} if factory == EXACT else {"train_rows": min(most, vectors.rows)}
    to = folder / factory
    cost, made = measured(lambda: index(vectors, to, factory=factory, recall_queries=200, k=K, **train))
    about = made.manifest["built"]
    del made
    reset_peak()
    opened = resident("RssAnon")
    made = load_index(to, verify=False)
    made.search(queries[:1], K)
    loaded = resident("RssAnon") - opened

    def at(effort: dict[str, int]) -> Row:
        return effort | rates(lambda some: made.search(some, K, **effort)[1], queries, exact)

    row = {"factory": factory, **about, "peak_mib": cost["memory"], "loaded_mib": loaded}
    row["search"] = [at(effort) for effort in efforts(made)]
    print(row, flush=True)
    if factory != EXACT:
        shutil.rmtree(to)
    return row


def efforts(made: Index) -> list[dict[str, int]]:
    """The recorded effort, a quarter and four times of it."""
    if not (recorded := made.manifest["search"]):
        return [{}]
    whole = effort_of_all(made.engine.index)
    return [
        {name: min(whole[name], max(1, int(value * factor))) for name, value in recorded.items()}
        for factor in (0.25, 1, 4)
    ]


def rates(find: Callable[[np.ndarray], np.ndarray], queries: np.ndarray, exact: np.ndarray) -> Row:
    """Recall of a search, and queries a second, all of them in one call and one by one."""
    all_at_once, found = measured(lambda: find(queries))
    single, _ = measured(lambda: [find(query[None]) for query in queries[:SINGLE]])
    same = [len({*a} & {*b}) / K for a, b in zip(found.tolist(), exact.tolist(), strict=True)]
    return {
        "recall": round(float(np.mean(same)), 5), "queries_per_second": round(len(queries) / all_at_once["wall"], 1),
        "one_by_one_per_second": round(len(queries[:SINGLE]) / single["wall"], 1),
    }  # fmt: skip


def flat_peers(stored: np.ndarray, queries: np.ndarray) -> list[Row]:
    """Exact search by three means, of vectors in memory; the rows that they find are checked to be the same."""
    import faiss

    flat = faiss.IndexFlatIP(stored.shape[1])
    flat.add(stored)
    peers: dict[str, Callable[[np.ndarray], Any]] = {
        "align: exact_index (numpy)": lambda some: ExactIndex(stored, unit=True).search(some, K)[1],
        "faiss: IndexFlatIP": lambda some: flat.search(some, K)[1],
        "numpy: one product, argpartition": lambda some: one_product(some, stored),
    }
    exact = next(iter(peers.values()))(queries)
    result = [{"name": name, **rates(find, queries, exact)} for name, find in peers.items()]
    assert all(row["recall"] > 0.999 for row in result), result  # but for the order of ties to 1e-6
    return result


def one_product(queries: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """All scores of 64 queries at a time."""
    found = []
    for start in range(0, len(queries), 64):
        scores = queries[start : start + 64] @ stored.T
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        found.append(np.take_along_axis(best, order, axis=1))
    return np.concatenate(found)


if __name__ == "__main__":
    command_line(search)
