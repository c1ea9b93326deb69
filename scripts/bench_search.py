"""Search in many vectors: exact and with FAISS, in one process and on the same vectors and queries.

    python scripts/bench_search.py --model E5 --threads 2 --out docs/results/search.json    # ALIGN_DATA: the data
    python scripts/bench_search.py --rows 20000 --factories Flat IVF128,Flat HNSW16         # random vectors

With a model, sentences below ALIGN_DATA (udhr/) are encoded, and as many rows as --rows asks for are made of their
vectors: the sentences themselves, then weighted means of two random ones (0.5 to 0.9 of the first) with a little noise
(0.1 of the length), all of unit length. Such rows lie where real ones lie, but between them, and are no texts. Without
a model the rows are means of the same kind of 2,000 random vectors. With --words the rows are encoded words of
bli/vocab, and the queries other words: nothing is mixed. Else queries are made in the same way from sentences
that are among the rows; of none of them is the nearest row known beforehand.

Each row of the result is an index built with ``align.indexes.build``: seconds to train and to add (without the exact
search that measures the recall), bytes of a vector on disk, memory added at the peak of the build (what it holds, and
the exact search's tiles), and at each search effort recall@10 against exact search and queries a second, all of them in
one call and one by one. ``loaded`` is the memory that opening the index and searching it once adds beside mapped files.
The last rows are exact search, ours and that of peers, on the same vectors in memory; the rows found are checked equal.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl
import torch
from bench_bli import reset_peak, resident
from benchmark_text import udhr
from provenance import ran

from align.files.whole import read_lines, write_json
from align.indexes.approximate import effort_of_all
from align.indexes.build import index
from align.indexes.exact import ExactIndex
from align.indexes.index import EXACT, Index, load_index
from align.similarity.cosine import normalize
from align.vectors.folder import Vectors, vector_table
from align.vectors.writing import begin, finish, write_part

Row = dict[str, Any]
K = 10
PART = 50_000
FACTORIES = ("Flat", "IVF1024,Flat", "HNSW16", "IVF1024,PQ48")
SINGLE = 20  # queries asked one by one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder of an encoder; without one the vectors are random")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, default=384, help="of random vectors")
    parser.add_argument("--sentences", type=int, default=3_000, help="sentences to encode")
    parser.add_argument(
        "--words", action="store_true", help="rows and queries are words, each encoded: nothing is mixed"
    )
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--factories", nargs="+", default=FACTORIES)
    parser.add_argument("--train-rows", type=int, default=40_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=os.environ.get("ALIGN_DATA"))
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    if options.model and options.data is None:
        parser.error("expected the data's folder in ALIGN_DATA, or --data")
    threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        if options.words:
            seeds, made_of = words(options)
            vectors = rows(Path(folder) / "vectors", seeds[: -options.queries], options.rows)
            queries = seeds[-options.queries :]
        else:
            seeds, made_of = sentences(options)
            vectors = rows(Path(folder) / "vectors", seeds, options.rows)
            queries = next(mixed(seeds, options.queries, seed=1))
        print(f"\n{vectors.rows:,} x {vectors.dimension}, {made_of}; {options.threads} thread(s)\n", flush=True)
        exact = index(vectors, Path(folder) / EXACT).search(queries, K)[1]
        found = [measured(Path(folder), vectors, queries, exact, factory, options) for factory in options.factories]
        peers = flat_peers(np.load(Path(folder) / EXACT / "vectors.npy"), queries)
    print_table(found, peers)
    if options.out:
        about = {"vectors": made_of, "rows": vectors.rows, "dimension": vectors.dimension, "queries": len(queries)}
        results = {"indexes": found, "peers": peers}
        write_json(options.out, {"benchmark": "search", **about, **ran(options.threads), **results})


def threads(count: int) -> None:
    import faiss

    torch.set_num_threads(count)
    faiss.omp_set_num_threads(count)
    threadpoolctl.threadpool_limits(count)  # BLAS of numpy and of FAISS, once both are loaded


def sentences(options: argparse.Namespace) -> tuple[np.ndarray, str]:
    """Unit vectors that the rows are made of, and what they are in words."""
    if not options.model:
        seeds = np.random.default_rng(2).standard_normal((2_000, options.dimension), dtype=np.float32)
        return normalize(seeds), "means of two of 2,000 random vectors"
    from align.encoders.checkpoint import load_encoder

    lines = list(dict.fromkeys(paragraph for _, (paragraph, _) in udhr(options.data)))
    chosen = np.random.default_rng(2).permutation(len(lines))[: options.sentences]
    texts = [lines[i] for i in chosen]
    vectors = load_encoder(options.model).encode(texts)
    return normalize(vectors), f"{len(texts):,} encoded sentences of the UDHR, and means of two of them with noise"


def words(options: argparse.Namespace) -> tuple[np.ndarray, str]:
    """Unit vectors of as many distinct words as rows and queries together, the last ones for the queries."""
    from align.encoders.checkpoint import load_encoder

    files = sorted((options.data / "bli" / "vocab").glob("*_vocab.txt.gz"))
    known = list(dict.fromkeys(word for file in files for word in read_lines(file)))
    if len(known) < options.rows + options.queries:
        raise SystemExit(f"{len(known)} words: expected --rows and --queries to be no more than that")
    chosen = np.random.default_rng(2).permutation(len(known))[: options.rows + options.queries]
    vectors = load_encoder(options.model).encode([known[i] for i in chosen], progress=True)
    made_of = f"words of {len(files)} languages, by {Path(options.model).name}; the queries are other words"
    return normalize(vectors), made_of


def rows(folder: Path, seeds: np.ndarray, count: int) -> Vectors:
    """A folder of vectors: the seeds, then mixtures of them."""
    about = {"encoder": {"made by": "bench_search"}, "dimension": seeds.shape[1], "dtype": "float32", "part_rows": PART}
    begin(folder, about)
    start, blocks = 0, mixed(seeds, PART, seed=0)
    for number in range(-(-count // PART)):
        part = next(blocks)
        real = seeds[start : start + len(part)]
        part[: len(real)] = real
        part = part[: count - start]
        ids = [str(i) for i in range(start, start + len(part))]
        write_part(folder, number, vector_table(ids, part, texts=ids, store_texts=False))
        start += len(part)
    return finish(folder, -(-count // PART))


def mixed(seeds: np.ndarray, count: int, *, seed: int) -> Iterator[np.ndarray]:
    """Again and again ``count`` unit vectors, each between two random seeds, with noise of a tenth of their length."""
    rng = np.random.default_rng(seed)
    while True:
        first, second = rng.integers(len(seeds), size=(2, count))
        share = rng.uniform(0.5, 0.9, size=(count, 1)).astype(np.float32)
        noise = rng.standard_normal((count, seeds.shape[1]), dtype=np.float32)
        yield normalize(share * seeds[first] + (1 - share) * seeds[second] + 0.1 * normalize(noise))


def measured(
    folder: Path, vectors: Vectors, queries: np.ndarray, exact: np.ndarray, factory: str, options: argparse.Namespace
) -> Row:
    """An index, built, opened and searched at several efforts."""
    before = reset_peak()
    train = {} if factory == EXACT else {"train_rows": min(options.train_rows, vectors.rows)}
    built = index(vectors, folder / factory, factory=factory, recall_queries=200, k=K, **train).manifest["built"]
    peak = None if before is None else resident("VmHWM") - before
    opened = anonymous()
    made = load_index(folder / factory, verify=False)
    made.search(queries[:1], K)
    loaded = anonymous() - opened
    searches = [searched(made, queries, exact, effort) for effort in efforts(made)]
    row = {"factory": factory, **built, "peak_mib": None if peak is None else peak / 1024, "loaded_mib": loaded / 1024}
    print(row["factory"], f"{row['seconds']:.1f} s", searches, flush=True)
    if factory != EXACT:
        shutil.rmtree(folder / factory)
    return row | {"search": searches}


def efforts(made: Index) -> list[dict[str, int]]:
    """The recorded effort, a quarter and four times of it."""
    recorded = made.manifest["search"]
    if not recorded:
        return [{}]
    whole = effort_of_all(made.engine.index)
    return [
        {name: min(whole[name], max(1, int(value * factor))) for name, value in recorded.items()}
        for factor in (0.25, 1, 4)
    ]


def searched(made: Index, queries: np.ndarray, exact: np.ndarray, effort: dict[str, int]) -> Row:
    found, seconds = timed(lambda: made.search(queries, K, **effort)[1])
    few = queries[:SINGLE]
    _, single = timed(lambda: [made.search(query[None], K, **effort) for query in few])
    return {
        **effort, "recall": round(recall_of(found, exact), 4), "queries_per_second": round(len(queries) / seconds, 1),
        "one_by_one_per_second": round(len(few) / single, 1),
    }  # fmt: skip


def flat_peers(stored: np.ndarray, queries: np.ndarray) -> list[Row]:
    """Exact search by three means, of vectors in memory; the rows that they find are checked to be the same."""
    import faiss

    flat = faiss.IndexFlatIP(stored.shape[1])
    flat.add(stored)
    peers: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "align: exact_index (numpy)": lambda some: ExactIndex(stored, unit=True).search(some, K)[1],
        "faiss: IndexFlatIP": lambda some: flat.search(some, K)[1],
        "numpy: one product, argpartition": lambda some: one_product(some, stored),
    }
    result, first = [], None
    for name, search in peers.items():
        search(queries[:1])
        found, seconds = timed(lambda search=search: search(queries))
        _, single = timed(lambda search=search: [search(query[None]) for query in queries[:SINGLE]])
        first = found if first is None else first
        recall = recall_of(found, first)
        assert recall > 0.999, f"{name} finds other rows: {recall}"  # but for the order of ties to 1e-6
        rates = {"queries_per_second": len(queries) / seconds, "one_by_one_per_second": len(queries[:SINGLE]) / single}
        result.append({"name": name, "recall": round(recall, 5), **{key: round(x, 1) for key, x in rates.items()}})
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


def recall_of(found: np.ndarray, right: np.ndarray) -> float:
    return float(np.mean([len({*a} & {*b}) / K for a, b in zip(found.tolist(), right.tolist(), strict=True)]))


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    result = run()
    return result, time.perf_counter() - began


def anonymous() -> int:
    """Kibibytes of memory that is not of files."""
    ctypes.CDLL(None).malloc_trim(0)
    return resident("RssAnon")


def print_table(found: list[Row], peers: list[Row]) -> None:
    print("\n| index | build | bytes a vector | peak | loaded | effort | recall@10 | queries/s | one by one |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in found:
        peak = "" if row["peak_mib"] is None else f"{row['peak_mib']:.0f} MiB"
        head = f"{row['factory']} | {row['seconds']:.1f} s | {row['bytes_per_vector']:.0f} | {peak} | "
        for search in row["search"]:
            effort = ", ".join(f"{name} {search[name]}" for name in ("nprobe", "ef_search") if name in search) or "all"
            rates = f"{search['queries_per_second']:.0f} | {search['one_by_one_per_second']:.0f}"
            print(f"| {head}{row['loaded_mib']:.0f} MiB | {effort} | {search['recall']:.3f} | {rates} |")
    for row in peers:
        print(f"| {row['name']} | | | | | all | {row['recall']:.3f} | {row['queries_per_second']:.0f} | "
              f"{row['one_by_one_per_second']:.0f} |")  # fmt: skip


if __name__ == "__main__":
    main()
