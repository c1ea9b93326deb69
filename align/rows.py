"""Rows of a result: what one unit of a benchmark scored, in plain values, the same for every task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from align.errors import InputError

Encode = Callable[[Sequence[str], str], ArrayLike]
Row = dict[str, Any]
"""id, language, other, script, direction, n, left_out, value, metrics, items, and gold where the metric is rho."""

METRIC = {"retrieval": "P@1", "bli": "P@1", "wordsim": "spearman", "sts": "spearman"}


def score_unit(task: str, name: str, content: Any, encode: Encode, protocol: Any) -> list[Row]:
    """Rows of one unit.

    Args:
        task: retrieval, bli, wordsim or sts.
        name: of the unit.
        content: what it loaded, see ``align.units.Unit``.
        encode: (texts, language) -> (n, d).
        protocol: of retrieval and bli.

    Raises:
        InputError: what the task refuses.
    """
    scorers = {"retrieval": _retrieval, "bli": _bli, "wordsim": _wordsim, "sts": _sts}
    return scorers[task](name, content, encode, protocol)


def _retrieval(_: str, texts: dict[str, list[str]], encode: Encode, protocol: Any) -> list[Row]:
    from align.tasks import retrieval

    first, second = texts
    pair = (first, second) if protocol.pivot != first else (second, first)
    if len(protocol.directions) == 1 and protocol.pivot not in pair:
        raise InputError(f"protocol {protocol.name} scores pairs with {protocol.pivot} only")
    result = retrieval(encode, texts, [pair], protocol=protocol, per_item=True, geometry=True)
    rows = []
    for score in result.scores:
        direction = result.direction(score)
        other, language = (
            (score.queries, score.candidates) if direction == "from_pivot" else (score.candidates, score.queries)
        )
        hits = [int(rank == 1) for rank in score.ranks or () if rank]
        rows.append(
            _row(f"{score.queries}>{score.candidates}", language, other, direction, hits)
            | {"left_out": score.left_out, "metrics": dict(score.metrics)}
        )
        if language == score.candidates and score.hubness is not None:  # of one line there is none
            rows[-1]["geometry"] = {"hubness": score.hubness, "anisotropy": score.anisotropy}
    return rows


def _bli(_: str, content: Any, encode: Encode, protocol: Any) -> list[Row]:
    from align.tasks import bli_pairs

    dictionary, vocabularies = content
    result = bli_pairs(
        encode, [dictionary], vocabularies, protocol=protocol, per_word=True, resamples=0, translations=1
    )
    (score,) = result.scores
    method = protocol.headline.partition(" ")[0]
    counted = [word for word in score.words or () if word.ranks or protocol.denominator == "all"]
    hits = [int(word.ranks.get(method, 0) == 1) for word in counted]
    metrics = {f"{name} {k}": v for name, found in score.methods.items() for k, v in found.metrics.items()}
    without = {f"{name} P@1 without copies": found.without_identical for name, found in score.methods.items()}
    shown = [t for t in score.translations if t.method == method]
    golds: dict[str, dict[str, None]] = {}  # of all lines of a source word: each is a right translation
    for word in counted:
        golds.setdefault(word.source, {}).update(dict.fromkeys(word.golds))
    row = _row(f"{score.source}>{score.target}", score.source, score.target, "direct", hits)
    facts = {
        "coverage": score.coverage, "candidates": score.candidates, "golds": score.golds_per_source,
        "identical": score.identical, "outside_script": score.outside_script,
    }  # fmt: skip
    examples = [
        {
            "source": t.source, "source_lang": score.source, "target_lang": score.target, "predicted": t.candidate,
            "gold": list(golds.get(t.source, ())), "right": t.gold,
        }
        for t in shown[:: max(1, len(shown) // 20)][:20]
    ]  # fmt: skip
    every: dict[str, float | None] = {"P@1": row["value"], **metrics, **without}
    return [row | {"left_out": score.units - score.n, "metrics": every, "facts": facts, "examples": examples}]


def _sts(name: str, one: Any, encode: Encode, _: Any) -> list[Row]:
    from align.tasks import sts

    return [_scored_pairs(sts(encode, {name: one}, resamples=0, per_item=True).scores[0], one)]


def _wordsim(name: str, one: Any, encode: Encode, _: Any) -> list[Row]:
    from align.tasks import wordsim

    return [_scored_pairs(wordsim(encode, {name: one}, resamples=0, per_item=True).scores[0], one)]


def _scored_pairs(score: Any, one: Any) -> Row:
    kept = [(cosine, gold) for cosine, gold in zip(score.cosines, one.scores, strict=True) if cosine is not None]
    direction = "direct" if score.first != score.second else ""
    row = _row(score.name, score.first, score.second, direction, [round(cosine, 6) for cosine, _ in kept])
    metrics = {"spearman": score.spearman, "pearson": score.pearson}
    gold = [value for _, value in kept]
    return row | {"value": score.spearman, "left_out": score.left_out, "metrics": metrics, "gold": gold}


def _row(name: str, language: str, other: str, direction: str, items: Sequence[float]) -> Row:
    return {
        "id": name, "language": language, "other": other, "script": language.partition("_")[2], "direction": direction,
        "n": len(items), "value": float(np.mean(items)) if items else 0.0, "items": list(items),
    }  # fmt: skip
