"""How many of the rows that exact search finds an approximate index finds, among all rows and in rare languages."""

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
    languages = rows.languages() if len(queries) else {}
    rare = [name for name in languages if name][:RAREST] if len(languages) > 1 else []
    for name in rare:
        asked.append(Question(name, rows.chosen(languages=[name]), Nearest(queries[:FILTERED_QUERIES], k + 2)))
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
