"""The numbers of docs/code_switching.md, from docs/results: switched, cloze, entities and bottleneck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scripts.document.tables import ran, runs, table

ENCODERS = {"E5": "multilingual-e5-small", "seed": "`seed`"}
METRICS = {"P@1": "hit@1", "NN P@5": "hit@5", "NN MRR": "MRR", "CSLS P@1": "CSLS hit@1"}


def encoder(result: Any) -> str:
    """Which of the two a command names."""
    return next(name for word, name in ENCODERS.items() if f" {word} " in f"{result['command']} ")


def cell(value: Sequence[float]) -> str:
    """A value with its interval."""
    return "{:.3f} ({:.3f}-{:.3f})".format(*value)


def queries() -> str:
    """P@1 of each kind of query, and what else, before and after."""
    rows: list[tuple[str, str, str, str]] = []
    for one in runs("switched"):
        name, (before, after) = encoder(one), (one["before"], one["after"])
        for of, where in (("queries", ""), ("third", ", to a third language")):
            rows += [
                (name, f"{kind}{where}", *(cell(state[of][kind]) for state in (before, after))) for kind in before[of]
            ]
        rows += [(name, "other languages to English", *(cell(of["others"]) for of in (before, after)))]
        rows += [(name, "likeness (STS, rho)", *(f"{of['sts']:.3f}" for of in (before, after)))]
    names = ("encoder", "queries", "before", "after")
    return table({name: lambda row, k=k: row[k] for k, name in enumerate(names)}, rows)


def names() -> str:
    """Scores of held-out names before, after all weights and after an adapter, and what else."""
    rows: list[tuple[str, ...]] = []
    for one in runs("entities"):
        ways = ("before", "all weights", "adapters")
        rows += [(encoder(one), "parameters trained", "0", *(f"{one[f'{way}, trained']:,}" for way in ways[1:]))]
        for key, title in METRICS.items():
            values = [one[way][key] for way in ways]
            rows += [(encoder(one), title, *(cell(v) if isinstance(v, list) else f"{v:.3f}" for v in values))]
        rows += [(encoder(one), "sentences to English, P@1", *(cell(one[way]["sentences"]) for way in ways))]
        rows += [(encoder(one), "likeness (STS, rho)", *(f"{one[way]['sts']:.3f}" for way in ways))]
    heads = ("encoder", "", "before", "all weights", "adapter alone")
    return table({name: lambda row, k=k: row[k] for k, name in enumerate(heads)}, rows)


def hidden() -> str:
    """Hit@1 of hidden names by kind of sentence, of each way of training."""
    rows: list[tuple[str, ...]] = []
    kinds = ("English", "other languages", "English, name in another")
    for one in runs("cloze"):
        ways = [key for key, value in one.items() if isinstance(value, dict) and isinstance(value.get(kinds[0]), dict)]
        for way in ["before", "MLM", *sorted({*ways} - {"before", "MLM"})]:
            of = one[way]
            rows.append((
                f"`{way}`" if way.startswith(("wep", "pep")) else way, *(cell(of[kind]["names"]) for kind in kinds),
                f"{weighted(of, 'one piece'):.3f}", f"{weighted(of, 'several'):.3f}",
                f"{np.mean([of[kind]['vocabulary'] for kind in kinds]):.3f}",
                f"{np.mean([of[kind]['nats'] for kind in kinds]):.2f}",
            ))  # fmt: skip
    heads = ("trained by", *kinds, "one piece", "several", "vocabulary", "nats a piece")
    return table({name: lambda row, k=k: row[k] for k, name in enumerate(heads)}, rows)


def weighted(of: Any, part: str) -> float:
    """The share over all kinds of sentences, of names of one piece or of several."""
    counts = [one[f"of {part}"] for one in of.values()]
    return sum(one[part] * count for one, count in zip(of.values(), counts, strict=True)) / sum(counts)


def adapters() -> str:
    """Scores of held-out names after bottleneck adapters alone."""
    rows: list[tuple[str, ...]] = []
    for one in runs("bottleneck"):
        trained = f"{one['one, trained']:,}", f"{one['territories, trained'] + one['the others, trained']:,}"
        rows += [(encoder(one), "parameters trained", *trained)]
        for key, title in (METRICS | {"sentences": "sentences to English, P@1", "sts": "likeness (STS, rho)"}).items():
            values = [one[way][key] for way in ("one", "fused")]
            rows += [(encoder(one), title, *(cell(v) if isinstance(v, list) else f"{v:.3f}" for v in values))]
    heads = ("encoder", "", "one adapter", "two, of a part of the names each")
    return table({name: lambda row, k=k: row[k] for k, name in enumerate(heads)}, rows)


PARTS = {
    "mixed queries": queries, "mixed queries ran": lambda: "\n\n".join(map(ran, runs("switched"))),
    "entity names": names, "entity names ran": lambda: "\n\n".join(map(ran, runs("entities"))),
    "hidden names": hidden, "hidden names ran": lambda: "\n\n".join(map(ran, runs("cloze"))),
    "bottleneck": adapters, "bottleneck ran": lambda: "\n\n".join(map(ran, runs("bottleneck"))),
}  # fmt: skip
