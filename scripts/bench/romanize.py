"""Lines per second of plain uroman and of ours on one mixed-script text, and the share of equal lines.

    python -m scripts.bench.romanize --lines 10000 --threads 2

The text interleaves the Bible verses, the TICO-19 sentences and the UDHR articles of ALIGN_DATA, in a fixed order. Each
row runs in a fresh process from empty caches. "steady" is lines/s over the last nine tenths of the text; "total" is
lines/s over all of it, with the loading of uroman and the start of processes; "cpu s" is the processor time of all
processes. "equal" compares with ``Uroman().romanize_string``, which runs on every k-th line only because it is slow.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator

from scripts.bench.harness import Row, apart, command_line, data, processor_seconds

ROWS = {
    "uroman (the reference)": ("plain", 0), "uroman, its token cache": ("plain", 65536),
    "align, 1 process": ("uroman", 1), "align, 2 processes": ("uroman", 2),
    "align fast, 1 process": ("fast", 1), "align fast, 2 processes": ("fast", 2),
}  # fmt: skip
REFERENCE, BASE = list(ROWS)[:2]


def romanize(*, lines: int = 10_000, every: int = 5) -> Row:
    text = list(itertools.islice(mixed_lines(), lines))
    print(f"{len(text):,} lines, {len(set(text)):,} of them different, {sum(map(len, text)):,} characters")
    found = {name: apart(measure, *ROWS[name], text[::every] if name == REFERENCE else text) for name in ROWS}
    wanted, rows = found[REFERENCE]["output"], []
    for name, row in found.items():
        output = row.pop("output")
        same = [a == b for a, b in zip(wanted, output if name == REFERENCE else output[::every], strict=True)]
        ratios = {f"{rate} ratio": row[rate] / found[BASE][rate] for rate in ("steady", "total")}
        rows.append({"name": name} | row | ratios | {"equal": sum(same) / len(wanted)})
    return {"rows": rows}


def measure(kind: str, setting: int, lines: list[str]) -> Row:
    """Romanise ``lines``; the clock starts before uroman is loaded."""
    start, cpu = time.perf_counter(), processor_seconds()
    romanized = plain(lines, setting) if kind == "plain" else ours(lines, kind, setting)
    tenth = max(1, len(lines) // 10)
    output = list(itertools.islice(romanized, tenth))
    warm = time.perf_counter()
    output += romanized
    end = time.perf_counter()
    rates = {"steady": (len(lines) - tenth) / (end - warm), "total": len(lines) / (end - start)}
    return rates | {"cpu": processor_seconds() - cpu, "output": output}


def plain(lines: list[str], cache_size: int) -> Iterator[str]:
    import uroman

    romanizer = uroman.Uroman(cache_size=cache_size)
    return (romanizer.romanize_string(line) for line in lines)


def ours(lines: list[str], backend: str, processes: int) -> Iterator[str]:
    from align.text.romanize import romanizer as romanize

    romanize.BLOCK_LINES = max(1, len(lines) // 10)  # so that the first tenth ends where a block does
    romanize.POOL_FROM = 1  # processes from the start, whatever the size of the text
    return romanize.romanize_lines(lines, backend=backend, processes=processes)


def mixed_lines() -> Iterator[str]:
    """One line of each source in turn, until all are used."""
    files = sorted((data() / "bible").glob("*.txt")) + sorted((data() / "tico19").glob("*.txt"))
    sources = [path.read_text(encoding="utf-8").split("\n") for path in files if path.stem != "ids"]
    articles = map(json.loads, (data() / "udhr" / "articles.jsonl").read_text(encoding="utf-8").splitlines())
    texts = (text for article in articles for key, text in sorted(article.items()) if key != "id")
    sources.append([line for text in texts if isinstance(text, str) for line in text.split("\n")])
    full = [[line for line in source if line.strip()] for source in sources]
    return (line for row in itertools.zip_longest(*full) for line in row if line)


if __name__ == "__main__":
    command_line(romanize)
