"""Time and memory to tokenise n pairs into a store, and to open it again, as n grows.

    python scripts/bench_store.py --most 1e7 --out store.json

The pairs are made up (3 to 12 words a side, 24 languages, 3 pairs a meaning), written block by block to an Arrow file
and mapped from it, as a table of pairs is. The encoder is the seed one, with at most 128 tokens. Building and opening
run in a fresh process each. "s" is the wall time of ``build_store`` alone; opening goes through the table again (its
hash names the store) and checks the hash of every file. "peak" is the largest resident set of the process, in which
the kernel counts the pages of the table that it has mapped and may drop; "own" is the largest part of it that is no
file's, looked up every 20 ms, with "before" what it was as the call began (torch, transformers, the encoder).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from provenance import ran

BLOCK = 10_000
COLUMNS = ("source", "target", "source_lang", "target_lang", "group_id")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=float, default=1e7, help="pairs of the largest table (default 1e7)")
    parser.add_argument("--out", type=Path, help="JSON file of the results")
    parser.add_argument("--measure", nargs=2, metavar=("TABLE", "CACHE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*map(Path, arguments.measure))))
        return
    results = []
    print(f"{'pairs':>10} {'':6}{'s':>9}{'pairs/s':>10}{'peak MB':>9}{'own MB':>8}{'before':>8}{'store MB':>10}")
    for exponent in range(3, 8):
        n = 10**exponent
        if n > arguments.most:
            break
        with tempfile.TemporaryDirectory() as folder:
            table, cache = Path(folder) / "pairs.arrow", Path(folder) / "stores"
            write_table(table, n)
            for what in ("build", "open"):
                command = [sys.executable, __file__, "--measure", str(table), str(cache)]
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
                row = {"pairs": n, "what": what, **json.loads(done.stdout)}
                row |= {"pairs_per_second": n / row["seconds"], "store_mb": megabytes(cache)}
                results.append(row)
                print(
                    f"{n:10,} {what:6}{row['seconds']:9.2f}{row['pairs_per_second']:10,.0f}{row['peak_mb']:9,.0f}"
                    f"{row['own_mb']:8,.0f}{row['before_mb']:8,.0f}{row['store_mb']:10,.1f}", flush=True,
                )  # fmt: skip
            if results[-2]["digest"] != results[-1]["digest"] or results[-2]["tokens"] != results[-1]["tokens"]:
                sys.exit(f"{n} pairs: what was opened is not what was built")
    if arguments.out:
        arguments.out.write_text(json.dumps({"rows": results} | ran(os.cpu_count() or 1), indent=2) + "\n")


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
            texts = [texts_of(words, rng, rows) for _ in range(2)]
            codes = [[f"l{code:02}_Latn" for code in rng.integers(0, 24, rows)] for _ in range(2)]
            groups = [f"meaning-{row // 3}" for row in range(start, start + rows)]
            writer.write(pa.record_batch([*texts, *codes, groups], schema=schema))


def texts_of(words: Any, rng: np.random.Generator, rows: int) -> list[str]:
    sizes = rng.integers(3, 13, rows)
    drawn = words[rng.integers(0, len(words), sizes.sum())].tolist()
    ends = np.cumsum(sizes).tolist()
    return [" ".join(drawn[end - size : end]) for end, size in zip(ends, sizes.tolist(), strict=True)]


def measure(table: Path, cache: Path) -> dict[str, Any]:
    """One call of build_store in this process."""
    from datasets import Dataset

    from align.encoders.checkpoint import load_encoder
    from align.training.store import build_store

    pairs = Dataset.from_file(str(table))
    encoder = load_encoder("seed", device="cpu")
    before, seen = anonymous_memory(), [anonymous_memory()]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            seen.append(anonymous_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, cpu = time.perf_counter(), time.process_time()
    store = build_store(pairs, encoder, max_tokens=128, cache=cache)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    done.set()
    watcher.join()
    return {
        "seconds": seconds, "cpu_seconds": cpu, "own_mb": max(seen), "before_mb": before, "digest": store.digest,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "tokens": len(store.source.ids) + len(store.target.ids),
    }  # fmt: skip


def anonymous_memory() -> float:
    """Resident megabytes of this process that are no file's (Linux; 0 elsewhere)."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


def megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20


if __name__ == "__main__":
    main()
