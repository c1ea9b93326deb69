"""The plan of docs/clusters.md: what a billion sentences cost, by what was measured on one core.

Every constant is in docs/results: encoding (performance-encode-e5), mining (search-mined-large), an index
(search-indexes), the first reading (survey). Only the price of a core's hour and the size of the vectors are given.
"""

from __future__ import annotations

import math
from typing import Any

from align.vectors.writing import PART_ROWS
from scripts.document.tables import kept, table

SENTENCES, DIMENSION, K = 10**9, 384, 4
SHARDS = 1000
PRICE = 0.05
"""Of an hour of one core, in dollars: an assumption, no measurement."""
HASH, CODE, KEY = 64, 8, 8
"""Bytes of a text's hash, of its number, and of a neighbour."""


def constants() -> dict[str, float]:
    """Of one core: texts a second, lines a second, seconds of exact and approximate mining; bytes of an index."""
    encode = next(row for row in kept("performance-encode-e5")["rows"] if row["name"] == "align")
    mined = kept("search-mined-large")
    exact, faiss = (
        max((row for row in mined["synthetic"] if row["engine"] == engine), key=lambda row: row["rows"])
        for engine in ("exact", "faiss")
    )
    threads = mined["hardware"]["threads"]
    index = next(row for row in kept("search-indexes")["indexes"] if row["factory"] == "IVF1024,PQ64")
    survey = kept("survey")["rows"][0]
    return {
        "texts": encode["per_second"],
        "lines": survey["lines"] / survey["processor"],
        "product": exact["seconds"] * threads / exact["rows"] ** 2 / exact["dimension"],
        "visit": faiss["seconds"] * threads / faiss["rows"] ** 1.5 / faiss["dimension"],
        "pq": index["bytes_per_vector"],
    }


def steps(n: int = SENTENCES, d: int = DIMENSION) -> list[dict[str, Any]]:
    """Steps of encoding a corpus, searching it, and mining it with another as large."""
    one = constants()
    float16 = 2 * d
    return [
        {
            "step": "read once (`encode`, one process)", "hours": n / one["lines"] / 3600,
            "disk": 24 * n, "memory": None,
            "breaks": "it is of one process: the only step that no machine shortens",
        },
        {
            "step": f"encode, E5-small, float16, {math.ceil(n / PART_ROWS):,} parts", "hours": n / one["texts"] / 3600,
            "disk": float16 * n, "memory": 4 * d * PART_ROWS, "breaks": "cores: half of them, twice the time",
        },
        {
            "step": "index `IVF...,PQ64`", "hours": None, "disk": one["pq"] * n, "memory": one["pq"] * n,
            "breaks": "memory of the machine that searches: more bytes a vector need a database (`align export`)",
        },
        {
            "step": f"mine, exact, {SHARDS:,} shards", "hours": one["product"] * n * n * d / 3600,
            "disk": 2 * float16 * n + SHARDS * K * KEY * n, "memory": (HASH + CODE) * n + 2 * K * KEY * n,
            "breaks": "time, for it grows with the square; then the disk, for each shard keeps neighbours of all of y",
        },
        {
            "step": "mine, `--engine faiss`, `IVF...,Flat`", "hours": one["visit"] * n**1.5 * d / 3600,
            "disk": 2 * float16 * n, "memory": 4 * d * n + (HASH + CODE) * n,
            "breaks": "memory of the one machine: the index of a side, and the hashes that find copies",
        },
    ]  # fmt: skip


def plan() -> str:
    columns: dict[str, Any] = {
        "step": "{step}",
        "core hours": lambda row: _number(row["hours"]),
        f"dollars at {PRICE} an hour": lambda row: _number(row["hours"], PRICE),
        "disk": lambda row: _bytes(row["disk"]), "memory of a process": lambda row: _bytes(row["memory"]),
        "what breaks first": "{breaks}",
    }  # fmt: skip
    return table(columns, steps())


def measured() -> str:
    """The constants in a sentence."""
    one = constants()
    return (
        f"{one['texts']:.1f} texts of E5-small and {one['lines']:,.0f} lines of the first reading a second; "
        f"{one['product'] * 1e12:.0f} s for 10^12 numbers of products; {one['pq']:.0f} bytes a vector in `IVF1024,PQ64`"
    )


def _number(value: float | None, times: float = 1.0) -> str:
    """To two digits: what follows them is not known."""
    if not value:
        return "-"
    digits = 1 - math.floor(math.log10(value * times))
    return f"{round(value * times, digits):,.{max(0, digits)}f}"


def _bytes(size: float | None) -> str:
    if size is None:
        return "-"
    for unit, least in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= least:
            return f"{size / least:.2g} {unit}" if size / least < 100 else f"{size / least:.0f} {unit}"
    return f"{size:.0f} B"


PARTS = {"plan": plan, "measured": measured}
