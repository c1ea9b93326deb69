"""Real pairs of sentences to time training on: mixed scripts, Latin text alone, and narrower sentences."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

Pairs = list[tuple[str, str]]

TEXTS = {
    "scripts": "UDHR, every script equally often",
    "latin": "UDHR, Latin script",
    "sentences": "TICO-19, 35 languages",
}
# Articles stand in the wrong place upstream.
MISPLACED = {"bin", "cjk", "kmb", "kwi", "lia", "nba", "nym", "piu", "qxu", "umb"}


def read_pairs(data: Path, text: str, count: int) -> tuple[Pairs, int]:
    """``count`` different pairs of a text with its English translation, and in how many scripts the first is.

    Raises:
        SystemExit: the data has fewer.
    """
    strata = defaultdict(list)
    for script, pair in tico(data) if text == "sentences" else udhr(data):
        if text != "latin" or script == "LATIN":
            strata[script].append(pair)
    rng = np.random.default_rng(0)
    shuffled = {name: [rows[i] for i in rng.permutation(len(rows))] for name, rows in sorted(strata.items())}
    pairs: Pairs = []
    while len(pairs) < count and any(shuffled.values()):
        pairs += [rows.pop() for rows in shuffled.values() if rows]
    if len(pairs) < count:
        raise SystemExit(f"{count} pairs were asked for, but {TEXTS[text]} has {len(pairs)}")
    return [pairs[i] for i in rng.permutation(count)], len(strata)


def udhr(data: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Script and pair of every paragraph whose article has as many paragraphs in the declaration as in English."""
    table = [line.split("\t") for line in (data / "udhr" / "langs.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    seen = set()
    for line in (data / "udhr" / "articles.jsonl").read_text(encoding="utf-8").splitlines():
        article = json.loads(line)
        english = article["eng"].split(" ¶ ")
        for code, _, _, _, script, *_ in table:
            paragraphs = article.get(code, "").split(" ¶ ")
            if code == "eng" or code in MISPLACED or len(paragraphs) != len(english):
                continue
            for pair in zip(paragraphs, english, strict=True):
                if all(pair) and pair not in seen:
                    seen.add(pair)
                    yield script, pair


def tico(data: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Language and pair of every sentence of TICO-19."""
    english = (data / "tico19" / "en.txt").read_text(encoding="utf-8").splitlines()
    for path in sorted((data / "tico19").glob("*.txt")):
        if path.stem != "en":
            lines = path.read_text(encoding="utf-8").splitlines()
            yield from ((path.stem, pair) for pair in dict.fromkeys(zip(lines, english, strict=True)) if all(pair))
