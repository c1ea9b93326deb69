"""Hits of a search in the order of a scorer: ``align rerank``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from align.errors import InputError
from align.files.json_lines import json_values
from align.indexes.search import Hit

if TYPE_CHECKING:
    from align.reranking.scorer import Scorer

NEEDED = ("query", "rank", "id", "score", "text", "language", "script")


@dataclass(frozen=True)
class Reranked(Hit):
    """A hit in its new place; ``score`` is still that of the search."""

    found_at: int = 0
    """Its rank in the search."""
    rerank_score: float | None = None
    """Of the scorer, rounded to six decimals; ``None``: it was below the depth, and stays behind those above."""


def rerank(
    scorer: Scorer | Path | str, hits: Sequence[Sequence[Hit]], *, depth: int | None = None, progress: bool = False,
    **load: Any,
) -> list[list[Reranked]]:  # fmt: skip
    """The hits of each query, best first by the scores of a scorer; of equal ones the first of the search first.

    Args:
        scorer: loaded, or its folder.
        hits: of each query, best first, as :func:`align.search` gives them, with texts.
        depth: hits of each query that are scored; the others follow in their order. None: all.
        progress: show a bar.
        load: further arguments of :func:`align.load_scorer`, for a folder.

    Returns:
        A list for each query, as long as before.

    Raises:
        InputError: as :func:`align.load_scorer`; a hit without a text, or a depth below 1.
    """
    if depth is not None and depth < 1:
        raise InputError(f"depth is at least 1, got {depth}")
    without = [hit for of in hits for hit in of[:depth] if hit.text is None]
    if without:
        raise InputError(
            f"the hit {without[0].id!r} of {without[0].query[:60]!r} has no text: a scorer reads texts, so search an "
            "index that keeps them"
        )
    if isinstance(scorer, (str, Path)):
        from align.reranking.scorer import load_scorer

        scorer = load_scorer(scorer, **load)
    above = [hit for of in hits for hit in of[:depth]]
    scores = iter(scorer.score([one.query for one in above], [one.text or "" for one in above], progress=progress))
    found = []
    for of in hits:
        scored = [_again(hit, round(float(next(scores)), 6)) for hit in of[:depth]]
        scored.sort(key=lambda hit: -(hit.rerank_score or 0.0))
        every = scored + [_again(hit, None) for hit in of[len(scored) :]]
        found.append([replace(hit, rank=rank) for rank, hit in enumerate(every, 1)])
    return found


def _again(hit: Hit, score: float | None) -> Reranked:
    kept = {field.name: getattr(hit, field.name) for field in fields(Hit)}
    return Reranked(**kept, found_at=hit.rank, rerank_score=score)


def read_hits(path: Path | str) -> list[list[Hit]]:
    """The hits of each query in the file that ``align search --json`` prints; a rank of 1 begins the next query.

    Raises:
        InputError: no such file, a line that is no such hit (named), or no hit at all.
    """
    found: list[list[Hit]] = []
    for number, value, problem in json_values(path):
        hit = None if problem else _hit(value)
        if hit is None:
            problem = problem or f"expected an object with {', '.join(NEEDED)}"
            raise InputError(f"{path}, line {number}: {problem}: expected what align search --json prints")
        before = found[-1][-1] if found else None
        if hit.rank == 1:
            found.append([])
        elif before is None or (hit.query, hit.rank) != (before.query, before.rank + 1):
            raise InputError(f"{path}, line {number}: rank {hit.rank} does not follow: hits of a query stand in order")
        found[-1].append(hit)
    if not found:
        raise InputError(f"{path} has no hit: expected what align search --json prints")
    return found


def _hit(value: Any) -> Hit | None:
    if not isinstance(value, dict) or not all(name in value for name in NEEDED):
        return None
    texts = [value[name] for name in ("query", "id", "language", "script")]
    numbers = isinstance(value["score"], (int, float)) and type(value["rank"]) is int
    if not (numbers and all(isinstance(text, str) for text in texts) and isinstance(value["text"], (str, type(None)))):
        return None
    columns = value.get("columns", {})
    return Hit(**{name: value[name] for name in NEEDED}, columns=columns if isinstance(columns, dict) else {})
