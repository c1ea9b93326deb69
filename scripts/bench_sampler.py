"""The sampler beside sentence-transformers' samplers without duplicates, the padding of its batches, and its growth.

    OMP_NUM_THREADS=1 python scripts/bench_sampler.py                       # speed, padding, growth to 10 million rows
    OMP_NUM_THREADS=1 python scripts/bench_sampler.py --parts speed --rows 60000 --out sampler.json

"speed": premises that come three times, each with another hypothesis, as NLI has them. Both sides lay out one epoch of
the same rows; the peer compares their texts (NO_DUPLICATES) or hashes of them (NO_DUPLICATES_HASHED; hashing, once for
all epochs, is timed by itself), ours the ids of the premises. No batch of any may hold a premise twice, or the script
fails. Seconds are of the process, the median of --repeats in turns. Ids of premises are made once, here by a
dictionary, and timed by themselves.
"padding": share of padding among the tokens of all batches, filled up to their longest row, of rows at random and of
ours; lengths are lognormal (sigma 0.9, at most 128) and, with ALIGN_DATA, those of udhr/articles.jsonl by the tokenizer
of the seed encoder.
"growth": one epoch of ours, batches of 256, each size in a process of its own; "first" are seconds until the first
batch, "MB" what the epoch adds to the resident memory at its peak (Linux only), "bytes" the same for each row.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from provenance import ran

from align.training.sampling import BatchStream

PARTS = ("speed", "padding", "growth")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rows", type=int, default=60_000, help="of the comparison")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64, 1024, 4096], help="of the comparison")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--largest", type=float, default=1e7, help="rows of the largest epoch")
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--grow", type=int, help=argparse.SUPPRESS)  # how the script calls itself
    options = parser.parse_args()
    if options.grow:
        json.dump(grow(options.grow), sys.stdout)
        return
    found: dict[str, Any] = ran(threads=1)
    if "speed" in options.parts:
        found["speed"] = [speed(options.rows, size, options.repeats) for size in options.batch_sizes]
    if "padding" in options.parts:
        found["padding"] = paddings()
    if "growth" in options.parts:
        sizes = [10**k for k in range(3, 9) if 10**k <= options.largest]
        found["growth"] = growth(sizes)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Of the process, and what the work gives."""
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def speed(rows: int, size: int, repeats: int) -> dict[str, Any]:
    """Rows per second of the three samplers, on the same rows."""
    import datasets
    import torch
    from sentence_transformers.base.sampler import NoDuplicatesBatchSampler

    logging.disable(logging.WARNING)
    datasets.disable_progress_bars()
    premises = [f"premise {row // 3} of a sentence as long as they are" for row in range(rows)]
    table = datasets.Dataset.from_dict(
        {"anchor": premises, "positive": [f"hypothesis {row} that follows from it" for row in range(rows)]}
    )
    lengths = lognormal(rows)

    def ids() -> NDArray[np.int64]:
        known: dict[str, int] = {}
        return np.array([known.setdefault(premise, len(known)) for premise in premises])

    grouping, groups = seconds(ids)
    languages = np.zeros(rows, dtype=np.int64)

    def peer(hashed: bool) -> Any:
        made = NoDuplicatesBatchSampler(
            table, size, drop_last=True, generator=torch.Generator(), seed=0, precompute_hashes=hashed
        )
        made.precompute_num_proc = None  # hashes in this process, whose seconds are counted
        return made

    with_hashes = peer(True)
    hashing, _ = seconds(with_hashes._build_hashes)
    samplers: dict[str, Callable[[], Iterable[Any]]] = {
        "NO_DUPLICATES": lambda: peer(False),
        "NO_DUPLICATES_HASHED": lambda: with_hashes,
        "align": lambda: BatchStream(lengths, languages, groups, batch_size=size, seed=0).epoch(0),
    }
    taken: dict[str, list[float]] = {name: [] for name in samplers}
    batches: dict[str, int] = {}
    for _ in range(repeats):
        for name, sampler in samplers.items():
            spent, made = seconds(lambda sampler=sampler: list(sampler()))
            taken[name].append(spent)
            batches[name] = len(made)
            for batch in made:
                if len(batch) != size or len(np.unique(groups[np.asarray(batch)])) != size:
                    sys.exit(f"{name}: a batch of {len(batch)} rows has a premise twice, or is not of {size}")
    rate = {name: rows / statistics.median(spent) for name, spent in taken.items()}
    print(f"\n{rows:,} rows, premises three times, batches of {size}; no premise twice in any batch.")
    print(f"Once: the peer hashes {rows / hashing:,.0f} rows/s, ours numbers premises, {rows / grouping:,.0f} rows/s.")
    print("| sampler | rows/s | batches | align is faster by |\n|---|---|---|---|")
    for name, value in rate.items():
        print(f"| {name} | {value:,.0f} | {batches[name]} | {rate['align'] / value:.1f} |", flush=True)
    once = {"hashing_rows_per_second": rows / hashing, "groups_rows_per_second": rows / grouping}
    return {"rows": rows, "batch_size": size, "rows_per_second": rate, "batches": batches} | once


def lognormal(rows: int) -> NDArray[np.int64]:
    """Lengths as of sentences: most short, some at the limit of 128."""
    return np.clip(np.random.default_rng(0).lognormal(3.2, 0.9, rows).astype(np.int64) + 3, 3, 128)


def paddings() -> list[dict[str, Any]]:
    """Padding of random batches and ours."""
    sets = {"lognormal, 60,000 rows": lognormal(60_000)}
    if data := os.environ.get("ALIGN_DATA"):
        real = udhr(Path(data) / "udhr" / "articles.jsonl")
        sets[f"UDHR, {len(real):,} lines"] = real
    print("\n| lengths | batch | random | align |\n|---|---|---|---|")
    rows = []
    for name, lengths in sets.items():
        alike = np.zeros(len(lengths), dtype=np.int64)
        for size in (32, 64, 256):
            made = list(BatchStream(lengths, alike, np.arange(len(lengths)), batch_size=size, seed=0).epoch(0))
            order = np.random.default_rng(0).permutation(len(lengths))[: len(lengths) // size * size]
            chance, ours = padding(order.reshape(-1, size), lengths), padding(made, lengths)
            rows.append({"lengths": name, "batch_size": size, "random": chance, "align": ours})
            print(f"| {name} | {size} | {chance:.3f} | {ours:.3f} |", flush=True)
    return rows


def padding(batches: Iterable[NDArray[np.int64]], lengths: NDArray[np.int64]) -> float:
    """Share of the tokens that are padding."""
    real = filled = 0
    for rows in batches:
        real += int(lengths[rows].sum())
        filled += len(rows) * int(lengths[rows].max())
    return 1 - real / filled


def udhr(path: Path) -> NDArray[np.int64]:
    """Tokens of every line of the declaration in every language, at most 128."""
    from align.encoders.checkpoint import load_encoder

    with path.open(encoding="utf-8") as lines:
        texts = [text for line in lines for key, text in json.loads(line).items() if key != "id" and text]
    encoder = load_encoder("seed", device="cpu")
    return np.array([len(ids) for ids in encoder.tokenize(texts, max_tokens=128)])


def growth(sizes: list[int]) -> list[dict[str, Any]]:
    """One epoch of each size, in a process of its own."""
    print("\n| rows | seconds | rows/s | first | MB | bytes |\n|---|---|---|---|---|---|")
    found = []
    for size in sizes:
        command = [sys.executable, __file__, "--grow", str(size)]
        row = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        found.append(row)
        memory = "| |" if row["bytes"] is None else f"{row['bytes'] / 2**20:.1f} | {row['bytes'] / size:.0f} |"
        print(f"| {size:,} | {row['seconds']:.4f} | {size / row['seconds']:,.0f} | {row['first']:.4f} | {memory}")
        sys.stdout.flush()
    return found


def grow(rows: int) -> dict[str, Any]:
    """Seconds and memory of an epoch."""
    from bench_bli import reset_peak, resident

    lengths, languages, groups = lognormal(rows), np.zeros(rows, dtype=np.int64), np.arange(rows) // 3 + 2**62
    options = {"batch_size": 256, "seed": 0}
    small = slice(0, 1000)
    list(BatchStream(lengths[small], languages[small], groups[small], **options).epoch(0))  # imports and first calls
    before = reset_peak()
    start = time.process_time()
    first, batches = 0.0, 0
    for _ in BatchStream(lengths, languages, groups, **options).epoch(0):
        batches += 1
        first = first or time.process_time() - start
    taken = time.process_time() - start
    added = None if before is None else (resident("VmHWM") - before) * 1024
    return {"rows": rows, "seconds": taken, "first": first, "batches": batches, "bytes": added}


if __name__ == "__main__":
    main()
