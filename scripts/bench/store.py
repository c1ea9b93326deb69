"""Time and memory to tokenise n pairs into a store, and to open it again, as n grows.

    python -m scripts.bench.store --most 1e7 --threads 2 --out store.json

The pairs are made up (3 to 12 words a side, 24 languages, 3 pairs a meaning), written block by block to an Arrow file
and mapped from it, as a table of pairs is. The encoder is the seed one, with at most 128 tokens. Building and opening
run in a fresh process each. "seconds" is the wall time of ``build_store`` alone; opening goes through the table again
(its hash names the store) and checks the hash of every file. "own" is the largest part of the resident memory that is
no file's, with "before" what it was as the call began (torch, transformers, the encoder).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from scripts.bench.harness import Row, apart, command_line, measured, watched

BLOCK = 10_000
COLUMNS = ("source", "target", "source_lang", "target_lang", "group_id")


def store(*, most: float = 1e7) -> Row:
    results: list[Row] = []
    for n in (10**exponent for exponent in range(3, 8) if 10**exponent <= most):
        with tempfile.TemporaryDirectory() as folder:
            table, cache = Path(folder) / "pairs.arrow", Path(folder) / "stores"
            write_table(table, n)
            for what in ("build", "open"):
                row = {"pairs": n, "what": what, **apart(measure, table, cache)}
                size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) / 2**20
                results.append(row | {"pairs_per_second": n / row["seconds"], "store_mb": size})
                print(results[-1], flush=True)
        if any(results[-2][key] != results[-1][key] for key in ("digest", "tokens")):
            sys.exit(f"{n} pairs: what was opened is not what was built")
    return {"rows": results}


def write_table(path: Path, n: int) -> None:
    """Pairs of made-up words, never more than a block of them in memory."""
    import pyarrow as pa

    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(rng.choice(letters, size)) for size in rng.integers(2, 9, 5000)], dtype=object)
    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
        for start in range(0, n, BLOCK):
            rows = min(BLOCK, n - start)
            texts = [[" ".join(rng.choice(words, size)) for size in rng.integers(3, 13, rows)] for _ in range(2)]
            codes = [[f"l{code:02}_Latn" for code in rng.integers(0, 24, rows)] for _ in range(2)]
            groups = [f"meaning-{row // 3}" for row in range(start, start + rows)]
            writer.write(pa.record_batch([*texts, *codes, groups], schema=schema))


def measure(table: Path, cache: Path) -> Row:
    """One call of build_store in this process."""
    from datasets import Dataset

    from align.encoders.checkpoint import load_encoder
    from align.training.store import build_store

    pairs, encoder = Dataset.from_file(str(table)), load_encoder("seed", device="cpu")
    with watched() as memory:
        cost, made = measured(lambda: build_store(pairs, encoder, max_tokens=128, cache=cache))
    return {
        "seconds": cost["wall"], "cpu_seconds": cost["processor"], "own_mb": memory.most, "before_mb": memory.before,
        "digest": made.digest, "tokens": len(made.source.ids) + len(made.target.ids),
    }  # fmt: skip


if __name__ == "__main__":
    command_line(store)
