"""Rows of a result: what one subset of a benchmark scored, in plain values, the same for every task."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from align.errors import InputError
from align.text.hashing import text_sha256

if TYPE_CHECKING:
    from align.evaluation.subset_readers import Lines

Encode = Callable[[Sequence[str], str], ArrayLike]
Row = dict[str, Any]
"""id, language, other, script, direction, n, left_out, value, metrics, items and the line of each (a number, or a name;
the same in all rows that share it), and gold where the metric is rho."""


def metric_of(protocol: Any) -> str:
    """The metric that is a row's value: the protocol's headline, such as ``P@1`` or ``NN MRR``; without one, rho."""
    return "spearman" if protocol is None else str(protocol.headline)


def score_subset(
    task: str, name: str, content: Any, encode: Encode, protocol: Any, *, lines: Lines = "number"
) -> list[Row]:
    """Rows of one subset.

    Args:
        task: retrieval, bli, wordsim or sts.
        name: of the subset.
        content: what it loaded, see ``align.evaluation.subsets.Subset``.
        encode: (texts, language) -> (n, d).
        protocol: of retrieval and bli.
        lines: what is one line in several subsets of the benchmark. ``number``: row i of this one is row i of others;
            ``text``: a sentence is known by its English, a word by its language and itself; ``unit``: nothing is.

    Raises:
        InputError: what the task refuses.
    """
    scorers = {"retrieval": _retrieval, "bli": _bli, "wordsim": _wordsim, "sts": _sts}
    return scorers[task](name, content, encode, protocol, lines)


def _retrieval(_: str, texts: dict[str, list[str]], encode: Encode, protocol: Any, lines: Lines) -> list[Row]:
    from align.tasks.retrieval import retrieval

    first, second = texts
    pair = (first, second) if protocol.pivot != first else (second, first)
    if len(protocol.directions) == 1 and protocol.pivot not in pair:
        raise InputError(f"protocol {protocol.name} scores pairs with {protocol.pivot} only")
    result = retrieval(encode, texts, [pair], protocol=protocol, per_item=True, geometry=True)
    names: Sequence[int | str] = range(1, len(texts[first]) + 1)
    if lines == "text":
        names = [text_sha256(line)[:12] for line in texts[pair[1]]]
    rows = []
    for score in result.scores:
        direction = result.direction(score)
        other, language = (
            (score.queries, score.candidates) if direction == "from_pivot" else (score.candidates, score.queries)
        )
        kept = [(rank, name) for rank, name in zip(score.ranks or (), names, strict=True) if rank]
        items, asked = outcomes([rank for rank, _ in kept], protocol.headline), [name for _, name in kept]
        row = _row(f"{score.queries}>{score.candidates}", language, other, direction, items, asked)
        facts = {"value": score.metrics[protocol.headline], "left_out": score.left_out, "metrics": dict(score.metrics)}
        rows.append(row | facts)
        if language == score.candidates and score.hubness is not None:  # of one line there is none
            rows[-1]["geometry"] = {"hubness": score.hubness, "anisotropy": score.anisotropy}
    return rows


def _bli(_: str, content: Any, encode: Encode, protocol: Any, lines: Lines) -> list[Row]:
    from align.tasks import bli_pairs

    dictionary, vocabularies = content
    result = bli_pairs(
        encode, [dictionary], vocabularies, protocol=protocol, per_word=True, resamples=0, translations=1
    )
    (score,) = result.scores
    method, _, metric = protocol.headline.partition(" ")
    counted = [word for word in score.words or () if word.ranks or protocol.denominator == "all"]
    items = outcomes([word.ranks.get(method, math.inf) for word in counted], metric)
    metrics = {f"{name} {k}": v for name, found in score.methods.items() for k, v in found.metrics.items()}
    without = {f"{name} P@1 without copies": found.without_identical for name, found in score.methods.items()}
    shown = [t for t in score.translations if t.method == method]
    golds: dict[str, dict[str, None]] = {}  # of all lines of a source word: each is a right translation
    for word in counted:
        golds.setdefault(word.source, {}).update(dict.fromkeys(word.golds))
    places = _first_lines(dictionary, lower=protocol.case == "lower both")
    names = [places[w.source] if lines == "number" else f"{score.source} {w.source}" for w in counted]
    row = _row(f"{score.source}>{score.target}", score.source, score.target, "direct", items, names)
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
    totals = {"value": metrics[protocol.headline], "left_out": score.units - score.n, "metrics": metrics | without}
    return [row | totals | {"facts": facts, "examples": examples}]


def outcomes(ranks: Sequence[float], metric: str) -> list[float]:
    """What each item adds to a metric: of P@k whether its rank is k or less, of MRR one over it; of no rank 0."""
    if metric == "MRR":
        return [round(1 / rank, 6) for rank in ranks]
    k = int(metric.removeprefix("P@"))
    return [int(rank <= k) for rank in ranks]


def _sts(name: str, one: Any, encode: Encode, _: Any, lines: Lines) -> list[Row]:
    from align.tasks.sts import sts

    return [_scored_pairs(sts(encode, {name: one}, resamples=0, per_item=True).scores[0], one, lines)]


def _wordsim(name: str, one: Any, encode: Encode, _: Any, lines: Lines) -> list[Row]:
    from align.tasks.wordsim import wordsim

    return [_scored_pairs(wordsim(encode, {name: one}, resamples=0, per_item=True).scores[0], one, lines)]


def _scored_pairs(score: Any, one: Any, lines: Lines) -> Row:
    every = zip(score.cosines, one.scores, range(1, len(one.scores) + 1), strict=True)
    kept = [(cosine, gold, line) for cosine, gold, line in every if cosine is not None]
    names = [line if lines == "number" else f"{score.name} {line}" for *_, line in kept]
    direction = "direct" if score.first != score.second else ""
    row = _row(score.name, score.first, score.second, direction, [round(cosine, 6) for cosine, *_ in kept], names)
    metrics = {"spearman": score.spearman, "pearson": score.pearson}
    gold = [value for _, value, _ in kept]
    return row | {"value": score.spearman, "left_out": score.left_out, "metrics": metrics, "gold": gold}


def _first_lines(dictionary: Any, *, lower: bool) -> dict[str, int]:
    """Number (from 1) of the first line of each source word."""
    found: dict[str, int] = {}
    for number, (source, _) in enumerate(dictionary.pairs, 1):
        found.setdefault(source.lower() if lower else source, number)
    return found


def _row(
    name: str, language: str, other: str, direction: str, items: Sequence[float], lines: Sequence[int | str]
) -> Row:
    return {
        "id": name, "language": language, "other": other, "script": language.partition("_")[2], "direction": direction,
        "n": len(items), "value": float(np.mean(items)) if items else 0.0, "items": list(items),
        "lines": list(lines),
    }  # fmt: skip
