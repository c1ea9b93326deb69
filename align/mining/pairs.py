"""Mined pairs as a file, and how many of them are right: precision, recall and F1 above a threshold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.files.whole import read_lines, two_sides, whole_file
from align.mining.sides import Side

ESCAPES = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})
"""What would end a cell, in an id; a backslash is itself."""
SPACES = str.maketrans("\t\n\r", "   ")
"""The same in a text."""
UNESCAPED = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}
IDS = (("xid", "yid"),)
LINES = 10_000
Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]
Fields = tuple[pa.Array, "pa.Array | None"]


class Candidates(NamedTuple):
    """Pairs, best first; each array (p,)."""

    scores: Doubles
    cosines: Doubles
    x: Ints
    """Rows of one side, no two equal."""
    y: Ints
    """Rows of the other."""

    def taken(self, which: NDArray[Any]) -> Candidates:
        """Some of them, by a mask or by their numbers."""
        return Candidates(*(each[which] for each in self))


class Quality(NamedTuple):
    """Of the pairs whose score is at least the threshold."""

    threshold: float
    precision: float
    """Right pairs of those kept; 0 if none is kept."""
    recall: float
    """Right pairs kept of all gold pairs."""
    f1: float
    """2 right / (kept + gold)."""
    judged: int
    """Pairs kept that were judged."""


def quality(scores: ArrayLike, right: ArrayLike, total: int, threshold: float) -> Quality:
    """Precision, recall and F1 of the pairs whose score is at least ``threshold``.

    Args:
        scores: (p,) of the pairs that are judged.
        right: (p,) bool.
        total: gold pairs, found or not.
        threshold: least score kept.

    Raises:
        InputError: no gold pair.
    """
    scores, right = _checked(scores, right, total)
    kept = scores >= threshold
    hits, count = int(right[kept].sum()), int(kept.sum())
    return Quality(float(threshold), hits / max(1, count), hits / total, 2 * hits / (count + total), count)


def best_threshold(scores: ArrayLike, right: ArrayLike, total: int) -> Quality:
    """The threshold of the highest F1, exact: every cut between two scores is tried; of equals the highest cut.

    The threshold is half-way between the last score kept and the next lower one; if all are kept, the last score.

    Args:
        scores: (p,) of the pairs that are judged, at least one.
        right: (p,) bool.
        total: gold pairs, found or not.

    Raises:
        InputError: no pair, or no gold pair.
    """
    scores, right = _checked(scores, right, total)
    if not len(scores):
        raise InputError("there is no pair to choose a threshold from")
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    ends = np.flatnonzero(np.diff(falling, append=-np.inf))  # equal scores are kept or dropped together
    f1 = 2 * np.cumsum(right[order])[ends] / (ends + 1 + total)
    last = ends[int(np.argmax(f1))]
    lower = falling[last + 1] if last + 1 < len(falling) else falling[last]
    return quality(scores, right, total, float((falling[last] + lower) / 2))


def _checked(scores: ArrayLike, right: ArrayLike, total: int) -> tuple[Doubles, NDArray[np.bool_]]:
    values, hits = np.asarray(scores, dtype=np.float64), np.asarray(right, dtype=bool)
    if values.ndim != 1 or values.shape != hits.shape:
        raise InputError(f"scores have shape {values.shape}, right {hits.shape}: expected one of each for every pair")
    if total < 1:
        raise InputError("there is no gold pair: expected at least one")
    return values, hits


def judged(gold: Path, found: Candidates, x: Side, y: Side, threshold: float | None) -> Quality:
    """How many of the pairs found are right, by a file of ``x_id TAB y_id``, one side empty for one without a partner.

    A header with these names says where the two columns are, as in what :func:`write_mined` writes. An id is looked for
    as it stands, then with the escapes of tabs, line ends and backslashes undone. Blank lines are passed over.

    A pair is judged if the file names one of its sentences, so that the gold pairs of a part of the corpora do not make
    pairs of the rest wrong. Name the sentences without a partner too: else their pairs with each other are not judged,
    and precision is too high.

    Args:
        gold: the file.
        found: pairs of texts by their number on either side.
        x: one side.
        y: the other.
        threshold: the least score; ``None``: that of the best F1.

    Raises:
        InputError: not two columns, an id that is not there, or no pair, with the line; or no pair found is judged.
    """
    lines = _gold_lines(gold)
    codes = [_codes(each, {cells[at] for _, cells in lines}) for at, each in enumerate((x, y))]
    named = [np.zeros(len(each.first), dtype=bool) for each in (x, y)]
    pairs = set()
    for number, cells in lines:
        for at, name in enumerate(cells):
            if name and name not in codes[at]:
                raise InputError(f"{gold}, line {number}: no sentence of {(x, y)[at].name} has the id {name!r}")
            if name:
                named[at][codes[at][name]] = True
        if all(cells):
            pairs.add(codes[0][cells[0]] * len(named[1]) + codes[1][cells[1]])
    if not pairs:
        raise InputError(f"{gold} holds no pair: expected x_id TAB y_id on each line")
    known = named[0][found.x] | named[1][found.y]
    right = np.isin(found.x * len(named[1]) + found.y, np.array([*pairs], dtype=np.int64))[known]
    if threshold is not None:
        return quality(found.scores[known], right, len(pairs), threshold)
    if not known.any():
        raise InputError(f"{gold}: none of the {len(known)} mined pairs has a sentence that it names")
    return best_threshold(found.scores[known], right, len(pairs))


def _gold_lines(gold: Path) -> list[tuple[int, tuple[str, str]]]:
    lines: list[tuple[int, tuple[str, str]]] = []
    places, columns = (0, 1), 2
    for number, line in enumerate(read_lines(gold), 1):
        cells = line.split("\t")
        if number == 1 and (header := two_sides(cells, IDS)):
            places, columns = header, len(cells)
            continue
        if not line.strip():
            continue
        if len(cells) != columns or not any(cells[place] for place in places):
            raise InputError(
                f"{gold}, line {number}: expected x_id TAB y_id (one may be empty)"
                f"{' and as many columns as line 1' if columns > 2 else ''}, got {len(cells)} columns"
            )
        lines.append((number, (cells[places[0]], cells[places[1]])))
    return lines


def _codes(side: Side, ids: set[str]) -> dict[str, int]:
    """The text number of each id that there is, as it stands or unescaped."""
    plain = {name: re.sub(r"\\[\\tnr]", lambda found: UNESCAPED[found[0]], name) for name in ids}
    found = side.codes_of(ids | set(plain.values()))
    return {
        name: found.get(name, found.get(other, -1)) for name, other in plain.items() if {name, other} & found.keys()
    }


def write_mined(out: Path, pairs: Candidates, x: Fields, y: Fields) -> None:
    r"""Write pairs as TSV, whole: score, cosine, x_id, y_id, and the texts of a side that has them.

    A tab or line end in an id is written as an escape (``\t``, ``\n``, ``\r``), in a text as a space; all else is
    itself.
    """
    columns = {"x_id": x[0], "y_id": y[0], "x_text": x[1], "y_text": y[1]}
    given = {name: values for name, values in columns.items() if values is not None}
    with whole_file(out) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(("score", "cosine", *given)) + "\n")
        for start in range(0, len(pairs.scores), LINES):
            here = slice(start, start + LINES)
            texts = [
                [text.translate(ESCAPES if name.endswith("id") else SPACES) for text in values[here].to_pylist()]
                for name, values in given.items()
            ]
            numbers = (pairs.scores[here].tolist(), pairs.cosines[here].tolist())
            for score, cosine, *rest in zip(*numbers, *texts, strict=True):
                file.write("\t".join((f"{score:.6f}", f"{cosine:.6f}", *rest)) + "\n")
