"""Real sentences, and pairs of them, to time on: mixed scripts, and Latin text alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Pairs = list[tuple[str, str]]

TEXTS = {"scripts": "UDHR, every script equally often", "latin": "UDHR, Latin script"}
# Articles stand in the wrong place upstream.
MISPLACED = {"bin", "cjk", "kmb", "kwi", "lia", "nba", "nym", "piu", "qxu", "umb"}


def read_pairs(data: Path, text: str, count: int) -> tuple[Pairs, int]:
    """``count`` translations of UDHR into Latin script, and in how many scripts their first sides are.

    No text comes twice, as ours never takes one for its own negative; English alone has but 61 paragraphs.
    """
    rows, meanings = list(udhr(data)), dict[str, list[tuple[str, str]]]()
    seen = {english for _, (_, english) in rows}
    for script, (paragraph, english) in rows:
        known = meanings.setdefault(english, [("LATIN", english)])
        if paragraph not in seen and (text != "latin" or script == "LATIN"):
            seen.add(paragraph)
            known.append((script, paragraph))
    pairs = []
    for known in meanings.values():
        latin = [one for one in known if one[0] == "LATIN"]
        others = [one for one in known if one[0] != "LATIN"]
        half = latin[: max(0, len(latin) - len(others)) // 2]
        sides = zip(others + half, latin[len(half) :], strict=False)
        pairs += [(script, (source, target)) for (script, source), (_, target) in sides]
    return in_turns(pairs, count, TEXTS[text])


def in_turns(stratified: Iterable[tuple[str, Any]], count: int, what: str) -> tuple[list[Any], int]:
    """``count`` of (stratum, item) in random order, each stratum in turn until it has no more, and how many strata."""
    strata = defaultdict(list)
    for stratum, item in stratified:
        strata[stratum].append(item)
    rng = np.random.default_rng(0)
    shuffled = {name: [items[i] for i in rng.permutation(len(items))] for name, items in sorted(strata.items())}
    chosen: list[Any] = []
    while len(chosen) < count and any(shuffled.values()):
        chosen += [items.pop() for items in shuffled.values() if items]
    if len(chosen) < count:
        raise SystemExit(f"{count} were asked for, but {what} has {len(chosen)}")
    return [chosen[i] for i in rng.permutation(count)], len(strata)


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
