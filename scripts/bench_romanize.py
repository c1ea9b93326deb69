"""Lines per second of plain uroman and of ours on one mixed-script text, and the share of equal lines.

    ALIGN_DATA=data python scripts/bench_romanize.py --lines 10000

The text interleaves the Bible verses, the TICO-19 sentences and the UDHR articles of ALIGN_DATA, all languages, in a
fixed order. Each row runs in a fresh process from empty caches. "steady" is lines/s over the last nine tenths of the
text; "total" is lines/s over all of it, with the loading of uroman and the start of processes; "cpu s" is the processor
time of all processes, which other jobs on the machine change less than the clock. "equal" compares with
``Uroman().romanize_string``, the reference, which runs on every k-th line only because it is slow. Ratios are to plain
uroman with its token cache on (the setting of its command line), the faster of the two.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROWS = {
    "uroman (the reference)": ("plain", 0),
    "uroman, its token cache": ("plain", 65536),
    "align, 1 process": ("uroman", 1),
    "align, 2 processes": ("uroman", 2),
    "align fast, 1 process": ("fast", 1),
    "align fast, 2 processes": ("fast", 2),
}
REFERENCE, BASE = list(ROWS)[:2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=5, help="the reference runs on every k-th line (default 5)")
    parser.add_argument("--row", help=argparse.SUPPRESS)  # how the script calls itself; the text comes on stdin
    arguments = parser.parse_args()
    if arguments.row:
        json.dump(run_row(*ROWS[arguments.row], json.load(sys.stdin)), sys.stdout)
    else:
        compare(mixed_lines(Path(os.environ["ALIGN_DATA"]), arguments.lines), arguments.every)


def compare(lines: list[str], every: int) -> None:
    print(f"{len(lines):,} lines, {len(set(lines)):,} of them different, {sum(map(len, lines)):,} characters")
    print(f"{'':26}{'steady':>9}{'ratio':>7}{'total':>9}{'ratio':>7}{'cpu s':>9}{'equal':>9}")
    results: dict[str, dict[str, Any]] = {}
    for name in ROWS:
        text = json.dumps(lines[::every] if name == REFERENCE else lines)
        command = [sys.executable, __file__, "--row", name]
        done = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True)
        results[name] = json.loads(done.stdout)
    wanted, base = results[REFERENCE]["output"], results[BASE]
    for name, result in results.items():
        output = result["output"] if name == REFERENCE else result["output"][::every]
        equal = sum(a == b for a, b in zip(wanted, output, strict=True)) / len(wanted)
        rates = "".join(f"{result[rate]:9.0f}{result[rate] / base[rate]:6.1f}x" for rate in ("steady", "total"))
        print(f"{name:26}{rates}{result['cpu']:9.1f}{equal:9.2%}")


def run_row(kind: str, setting: int, lines: list[str]) -> dict[str, Any]:
    """Romanise ``lines``; the clock starts before uroman is loaded."""
    start = time.perf_counter()
    romanized = plain(lines, setting) if kind == "plain" else ours(lines, kind, setting)
    tenth = max(1, len(lines) // 10)
    output = list(itertools.islice(romanized, tenth))
    warm = time.perf_counter()
    output += romanized
    end = time.perf_counter()
    cpu = sum(os.times()[:4])
    rates = {"steady": (len(lines) - tenth) / (end - warm), "total": len(lines) / (end - start)}
    return rates | {"cpu": cpu, "output": output}


def plain(lines: list[str], cache_size: int) -> Iterator[str]:
    import uroman

    romanizer = uroman.Uroman(cache_size=cache_size)
    return (romanizer.romanize_string(line) for line in lines)


def ours(lines: list[str], backend: str, processes: int) -> Iterator[str]:
    from align.text.romanize import romanizer as romanize

    romanize.BLOCK_LINES = max(1, len(lines) // 10)  # so that the first tenth ends where a block does
    romanize.POOL_FROM = 1  # processes from the start, whatever the size of the text
    return romanize.romanize_lines(lines, backend=backend, processes=processes)


def mixed_lines(data: Path, count: int) -> list[str]:
    """``count`` lines: one of each source in turn, until all are used."""
    files = sorted((data / "bible").glob("*.txt")) + sorted((data / "tico19").glob("*.txt"))
    sources = [filled(path.read_text(encoding="utf-8")) for path in files if path.stem != "ids"]
    sources.append(udhr_lines(data / "udhr" / "articles.jsonl"))
    mixed = (line for row in itertools.zip_longest(*sources) for line in row if line)
    return list(itertools.islice(mixed, count))


def udhr_lines(path: Path) -> Iterator[str]:
    with open(path, encoding="utf-8") as file:
        for article in map(json.loads, file):
            for key, text in sorted(article.items()):
                if key != "id" and isinstance(text, str):
                    yield from filled(text)


def filled(text: str) -> Iterator[str]:
    return (line for line in text.split("\n") if line.strip())


if __name__ == "__main__":
    main()
