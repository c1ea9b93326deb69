"""The sampler beside sentence-transformers' samplers without duplicates, the padding of its batches, and its growth.

    python -m scripts.bench.sampler                                     # speed, padding, growth to 10 million rows
    python -m scripts.bench.sampler --parts speed --rows 60000

"speed": premises that come three times, each with another hypothesis, as NLI has them. Both sides lay out one epoch of
the same rows; the peer compares their texts (NO_DUPLICATES) or hashes of them (NO_DUPLICATES_HASHED), ours the ids of
the premises; hashing and numbering, once for all epochs, are timed by themselves. No batch of any may hold a premise
twice, or the script fails. Seconds are of the processor.
"padding": share of padding among the tokens of all batches, filled up to their longest row, of rows at random and of
ours; lengths are lognormal (sigma 0.9, at most 128), and those of udhr/articles.jsonl by the seed encoder's tokenizer.
"growth": one epoch of ours, batches of 256, each size in a process of its own.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.encoders.checkpoint import load_encoder
from align.training.sampling import BatchStream
from scripts.bench.harness import Row, apart, command_line, compared, data, measured

Numbers = NDArray[np.int64]


def sampler(
    *, parts: Sequence[str] = ("speed", "padding", "growth"), rows: int = 60_000, largest: float = 1e7,
    repeats: int = 3, batch_sizes: Sequence[int] = (64, 1024, 4096),
) -> Row:  # fmt: skip
    found: Row = {}
    if "speed" in parts:
        found["speed"] = [speed(rows, size, repeats) for size in batch_sizes]
    if "padding" in parts:
        found["padding"] = paddings()
    if "growth" in parts:
        found["growth"] = [apart(grow, 10**k) for k in range(3, 9) if 10**k <= largest]
    return found


def speed(rows: int, size: int, repeats: int) -> Row:
    """Rows per second of the three samplers, on the same rows."""
    import datasets
    import torch
    from sentence_transformers.base.sampler import NoDuplicatesBatchSampler

    logging.disable(logging.WARNING)
    datasets.disable_progress_bars()
    premises = [f"premise {row // 3} of a sentence as long as they are" for row in range(rows)]
    hypotheses = [f"hypothesis {row} that follows from it" for row in range(rows)]
    pairs = datasets.Dataset.from_dict({"anchor": premises, "positive": hypotheses})
    lengths, languages = lognormal(rows), np.zeros(rows, dtype=np.int64)

    def number() -> Numbers:
        known: dict[str, int] = {}
        return np.array([known.setdefault(premise, len(known)) for premise in premises])

    def peer(hashed: bool) -> Any:
        made = NoDuplicatesBatchSampler(
            pairs, size, drop_last=True, generator=torch.Generator(), seed=0, precompute_hashes=hashed
        )
        made.precompute_num_proc = None  # hashes in this process, whose seconds are counted
        return made

    numbering, groups = measured(number)
    with_hashes = peer(True)
    hashing, _ = measured(with_hashes._build_hashes)
    samplers: dict[str, Callable[[], Any]] = {
        "NO_DUPLICATES": lambda: list(peer(False)),
        "NO_DUPLICATES_HASHED": lambda: list(with_hashes),
        "align": lambda: list(BatchStream(lengths, languages, groups, batch_size=size, seed=0).epoch(0)),
    }
    costs, made = compared(samplers, repeats)
    for name, batches in made.items():
        for batch in batches:
            if len(batch) != size or len(np.unique(groups[np.asarray(batch)])) != size:
                sys.exit(f"{name}: a batch of {len(batch)} rows has a premise twice, or is not of {size}")
    rate = {name: rows / cost["processor"] for name, cost in costs.items()}
    print(size, rate, flush=True)
    once = {"hashing": hashing, "groups": numbering}
    return {"rows": rows, "batch_size": size, "rows_per_second": rate} | {
        f"{name}_rows_per_second": rows / cost["processor"] for name, cost in once.items()
    }


def lognormal(rows: int) -> Numbers:
    """Lengths as of sentences: most short, some at the limit of 128."""
    return np.clip(np.random.default_rng(0).lognormal(3.2, 0.9, rows).astype(np.int64) + 3, 3, 128)


def paddings() -> list[Row]:
    """Padding of random batches and ours."""
    articles = map(json.loads, (data() / "udhr" / "articles.jsonl").read_text(encoding="utf-8").splitlines())
    texts = [text for article in articles for key, text in article.items() if key != "id" and text]
    tokens = list(map(len, load_encoder("seed", device="cpu").tokenize(texts, max_tokens=128)))
    sets = {"lognormal, 60,000 rows": lognormal(60_000), f"UDHR, {len(texts):,} lines": np.array(tokens)}
    rows = []
    for name, lengths in sets.items():
        alike, alone = np.zeros(len(lengths), dtype=np.int64), np.arange(len(lengths))
        for size in (32, 64, 256):
            made = BatchStream(lengths, alike, alone, batch_size=size, seed=0).epoch(0)
            order = np.random.default_rng(0).permutation(len(lengths))[: len(lengths) // size * size]
            shares = {"random": padding(order.reshape(-1, size), lengths), "align": padding(made, lengths)}
            rows.append({"lengths": name, "batch_size": size} | shares)
    return rows


def padding(batches: Iterable[Numbers], lengths: Numbers) -> float:
    """Share of the tokens that are padding."""
    sizes = [(int(lengths[rows].sum()), len(rows) * int(lengths[rows].max())) for rows in batches]
    return 1 - sum(real for real, _ in sizes) / sum(filled for _, filled in sizes)


def grow(rows: int) -> Row:
    """Seconds and memory of an epoch."""
    lengths, languages, groups = lognormal(rows), np.zeros(rows, dtype=np.int64), np.arange(rows) // 3 + 2**62

    def epoch(part: slice) -> int:
        few = (lengths[part], languages[part], groups[part])
        return sum(1 for _ in BatchStream(*few, batch_size=256, seed=0).epoch(0))

    epoch(slice(0, 1000))  # imports and first calls
    cost, batches = measured(lambda: epoch(slice(None)))
    added = None if cost["memory"] is None else cost["memory"] * 2**20
    return {"rows": rows, "seconds": cost["processor"], "batches": batches, "bytes": added}


if __name__ == "__main__":
    command_line(sampler)
