"""What a FAISS index is worth, asked of every one that is built: its recall, and whether its scores are cosines.

The recall is the share of the rows that exact search finds, among all rows and in rare languages. The scores of some
rows of its own are compared with their cosines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.indexes.approximate import FaissIndex
from align.indexes.exact import Nearest
from align.indexes.rows import Rows

RECALL = (
    "share of the k rows that exact search finds; a query is the normalised mean of two random rows, "
    "which themselves do not count"
)
RAREST = 5
"""Languages, the rarest, whose filtered recall is measured."""
FILTERED_QUERIES = 200
"""Queries of each of them, at the most."""
LOOKED_UP, HITS = 100, 10
"""Rows that are looked up, and hits of each."""
TOLERANCE = 0.15
"""Most that a score may differ from the cosine of its hit, on average. Codes of a byte or more for eight dimensions
differ by 0.05, of fewer by 0.1; what leaves out dimensions, or the mean, by more."""
ORDER = 0.6
"""Least share in the order of their cosines, of the pairs of hits whose cosines differ by more than the tolerance."""
ITSELF = 0.8
"""Least share of rows that find themselves, or a copy, among ``HITS``."""
COPY = 1e-4
"""A hit whose cosine is 1 but for so much is the row itself or a copy of it."""


@dataclass(frozen=True)
class Question:
    """Queries, the rows that may answer them, and the right answers as far as they have come."""

    language: str | None
    """``None``: any row may answer."""
    chosen: NDArray[np.bool_] | None
    right: Nearest

    def add(self, rows: NDArray[np.int64], units: NDArray[np.float32]) -> None:
        """Look at more rows."""
        if self.chosen is not None:
            here = self.chosen[rows]
            rows, units = rows[here], units[here]
        if len(rows):
            self.right.add(rows, units)


def questions(queries: NDArray[np.float32], rows: Rows, k: int) -> list[Question]:
    """All queries to all rows, and some of them to each of the rarest languages, if there is more than one.

    Two hits more than ``k`` are kept, since the rows that a query was made of do not count.
    """
    asked = [Question(None, None, Nearest(queries, k + 2))]
    languages = rows.counts("language") if len(queries) else {}
    rare = [name for name in languages if name][:RAREST] if len(languages) > 1 else []
    for name in rare:
        asked.append(Question(name, rows.chosen({"language": [name]}), Nearest(queries[:FILTERED_QUERIES], k + 2)))
    return asked


def measured(
    index: FaissIndex,
    asked: Sequence[Question],
    queries: NDArray[np.float32],
    pairs: NDArray[np.int64],
    k: int,
    effort: Mapping[str, int],
) -> dict[str, Any]:
    """The recall of a finished index: ``recall``, and ``filtered``, one for each of the rarest languages.

    Args:
        index: to search.
        asked: what :func:`questions` gave; all rows were added.
        queries: the same as there.
        pairs: (n, 2) the rows that each query was made of.
        k: the same as there.
        effort: that the user gave, if any.

    Returns:
        ``recall``: ``None`` without queries. ``filtered``: ``None`` if it is not measured or the index cannot filter.
    """
    found: dict[str, Any] = {"recall": None, "filtered": None}
    for question in asked if len(queries) else ():
        _, right = question.right.found()
        count = len(right)
        try:
            _, rows = index.search(queries[:count], k + 2, chosen=question.chosen, given=effort)
        except InputError:  # it cannot filter, and says so when it is asked to
            break
        about = {"recall": round(recall(rows, right, pairs[:count], k), 4), "k": k, "queries": count}
        if question.chosen is None:
            found["recall"], found["filtered"] = about | {"how": RECALL}, []
        else:
            found["filtered"].append({"language": question.language, "rows": int(question.chosen.sum())} | about)
    return found


def recall(found: NDArray[np.int64], right: NDArray[np.int64], pairs: NDArray[np.int64], k: int) -> float:
    """Share of the ``k`` right rows of each query, without the two it was made of, among the ``k`` found; 1 of none."""
    hits = total = 0
    for mine, theirs, pair in zip(found.tolist(), right.tolist(), pairs.tolist(), strict=True):
        expected = [row for row in theirs if row not in pair and row >= 0][:k]
        hits += len({*expected} & {*[row for row in mine if row not in pair][:k]})
        total += len(expected)
    return hits / total if total else 1.0


def check_scores(
    factory: str, queries: NDArray[np.float32], scores: NDArray[np.float32], vectors: NDArray[np.float32]
) -> dict[str, Any]:
    """Compare the scores of hits with their cosines, and see whether rows find themselves.

    Args:
        factory: of the index.
        queries: (n, d) unit vectors of rows.
        scores: (n, k) what the index said; -Inf: no hit.
        vectors: (n, k, d) unit vectors of the hits.

    Returns:
        What the manifest keeps: ``rows`` looked up, ``k``, mean ``difference`` of score and cosine, its ``tolerance``,
        ``order`` (share of pairs) and ``itself`` (share of rows).

    Raises:
        InputError: more than the tolerance, worse order or fewer rows than the bounds of this module.
    """
    there = np.isfinite(scores)
    cosines = np.where(there, np.einsum("nd,nkd->nk", queries, vectors), -np.inf)
    difference = float(np.abs(scores[there] - cosines[there]).mean()) if there.any() else 0.0
    with np.errstate(invalid="ignore"):
        nearer = cosines[:, :, None] - cosines[:, None, :] > TOLERANCE
    nearer &= there[:, :, None] & there[:, None, :]
    higher = np.where(there, scores, 0)[:, :, None] >= np.where(there, scores, 0)[:, None, :]
    order = float(higher[nearer].mean()) if nearer.any() else 1.0
    itself = float((cosines >= 1 - COPY).any(axis=1).mean()) if len(queries) else 1.0
    cure = "give a factory with more bytes a vector or more links, or end it with ,RFlat, which compares whole vectors"
    if difference > TOLERANCE or order < ORDER:
        raise InputError(
            f"the scores of {factory!r} are no cosines: hits of {len(queries)} rows differ from theirs by "
            f"{difference:.3f} on average (at most {TOLERANCE}), and {order:.0%} of pairs are in order (at least "
            f"{ORDER:.0%}): {cure}"
        )
    if itself < ITSELF:
        raise InputError(
            f"{factory!r} does not find what is in it: of {len(queries)} of its rows {itself:.0%} find themselves "
            f"among {scores.shape[1]} hits (at least {ITSELF:.0%}): {cure}"
        )
    return {
        "rows": len(queries), "k": scores.shape[1], "difference": round(difference, 4), "tolerance": TOLERANCE,
        "order": round(order, 4), "itself": round(itself, 4),
    }  # fmt: skip


def summary(manifest: Mapping[str, Any]) -> str:
    """What was built and measured, in a line."""
    built = manifest["built"]
    line = f"{manifest['factory']}: {manifest['rows']:,} rows in {built['seconds']:.1f} s"
    line += f", {built['bytes_per_vector']:g} bytes a vector"
    if built["recall"] is not None:
        recall, effort = built["recall"], "".join(f"{name} {value}, " for name, value in manifest["search"].items())
        line += f", recall@{recall['k']} {recall['recall']:.3f} ({effort}{recall['queries']:,} queries)"
    if built.get("filtered"):
        worst = min(built["filtered"], key=lambda one: one["recall"])
        line += f", {worst['recall']:.3f} in {worst['language']} alone ({worst['rows']:,} rows)"
    return line
