"""Bitext mining: the pairs of two corpora whose vectors are nearer to each other than to their neighbours.

A candidate is the best-scored of the ``k`` nearest of a sentence (forward: of x, backward: of y); the score is a margin
(:mod:`align.similarity.margin`). Pairs are taken best first, and no sentence twice (Artetxe and Schwenk 2019,
arXiv:1811.01136).

Vectors are copied once to temporary memory-mapped files, so that memory holds tiles of ``block * block`` cosines,
``block`` rows of either side, and O((n + m) k) numbers: of twice 1 million sentences, with k = 4, below 1 GB.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.mining.neighbours import ENGINES, faiss_neighbours
from align.mining.pairs import Quality, best_threshold, quality, read_gold, write_mined
from align.mining.sides import Side, side
from align.similarity.margin import check_score, margins
from align.similarity.nearest import Neighbours, exact_neighbours
from align.vectors.descriptions import differences
from align.vectors.folder import Vectors

DIRECTIONS = ("intersection", "forward", "backward", "max")
DECIMALS = 6
"""Of a score: what is written, compared with the threshold, and a tie."""

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Pairs, best first; each array (p,)."""

    scores: Doubles
    cosines: Doubles
    x: Ints
    """Rows of one side, no two equal."""
    y: Ints
    """Rows of the other."""


@dataclass(frozen=True)
class Mined:
    """What :func:`mine` found."""

    pairs: Candidates
    """Rows are those of the folders or arrays given."""
    numbers: Mapping[str, Any]
    """Rows and copies of either side, pairs of each direction, candidates, kept, threshold, and with gold pairs
    precision, recall and F1."""


def mine(
    x: Vectors | Path | str | ArrayLike,
    y: Vectors | Path | str | ArrayLike,
    out: Path | str | None = None,
    *,
    score: str = "ratio",
    k: int = 4,
    direction: str = "intersection",
    threshold: float | None = None,
    gold: Path | str | None = None,
    engine: str = "exact",
    factory: str | None = None,
    probes: int = 32,
    block: int = 2048,
    temporary: Path | str | None = None,
    progress: bool = False,
) -> Mined:
    r"""Mine the translations that two corpora hold of each other.

    Of the copies of a text in a folder the first stands for all; of the pairs of a sentence the best is kept. Pairs of
    equal scores (to six decimals) come in the order of their rows.

    Args:
        x: a folder of vectors or an (n, d) array, in which every row is a sentence of its own.
        y: another of the same encoder.
        out: TSV to write, whole: a header, then score, cosine, x_id, y_id, and x_text, y_text where texts are stored.
            Backslash, tab and line ends in a field stand as ``\\``, ``\t``, ``\n``, ``\r``. Ids of an array are
            its rows.
        score: ``ratio``, ``distance``, ``csls`` or ``cosine``.
        k: nearest by cosine that are candidates and make the means.
        direction: ``forward``: the best of each sentence of ``x``; ``backward``: of ``y``; ``intersection``: pairs that
            are both; ``max``: pairs that are either.
        threshold: the least score kept; ``None``: with ``gold`` the one of the best F1, else all are kept.
        gold: TSV of x_id TAB y_id; see :func:`align.mining.pairs.read_gold`.
        engine: ``exact``, or ``faiss``: approximate neighbours.
        factory: of the FAISS index, see :func:`align.mining.neighbours.faiss_neighbours`.
        probes: clusters of it that are visited.
        block: rows of each side in one product; bounds memory.
        temporary: folder for the copies, as large as the vectors; ``None``: beside ``out``, or the system's.
        progress: show a bar.

    Raises:
        InputError: an unknown option, folders of two encoders, a damaged folder, NaN or Inf, gold ids that are not
            there, or a full disk.
    """
    check_score(score, k)
    _check_choices(direction, engine, threshold)
    left, right = side(x), side(y)
    _check_encoders(left, right)
    place = Path(temporary) if temporary else Path(out).parent if out else None
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".align-mine.", dir=place) as folder:
        x_rows, y_rows = left.unique_rows(Path(folder) / "x"), right.unique_rows(Path(folder) / "y")
        if engine == "exact":
            near = exact_neighbours(x_rows, y_rows, k=k, block=block, progress=progress)
        else:
            near = faiss_neighbours(
                x_rows, y_rows, k=k, factory=factory, probes=probes, block=block, progress=progress
            )  # fmt: skip
    pairs, counts = candidates(*near, score=score, direction=direction)
    judged = _judged(pairs, left, right, gold, threshold)
    if judged is not None:
        threshold = judged.threshold
    kept = _above(pairs, threshold)
    kept = Candidates(kept.scores, kept.cosines, left.first[kept.x], right.first[kept.y])
    numbers = {
        **{name: {"rows": each.rows, "copies": each.copies} for name, each in (("x", left), ("y", right))}, **counts,
        "threshold": threshold, "kept": len(kept.scores),
    } | (judged.to_json() if judged else {})  # fmt: skip
    if out is not None:
        write_mined(Path(out), kept.scores, kept.cosines, left.fields(kept.x), right.fields(kept.y))
    return Mined(kept, numbers)


def candidates(
    there: Neighbours, back: Neighbours, *, score: str = "ratio", direction: str = "intersection"
) -> tuple[Candidates, dict[str, int]]:
    """The best pair of each sentence, no sentence in two pairs.

    Args:
        there: neighbours of the rows of ``x``.
        back: those of the rows of ``y``.
        score: as in :func:`mine`.
        direction: as in :func:`mine`.

    Returns:
        The pairs, and how many were the best of a row of ``x`` (forward), of ``y`` (backward), of both (mutual), and
        how many are left of the direction (candidates).
    """
    x_scores, y_scores = margins(there, back, score=score)
    forward, backward = _best(there, x_scores), _best(back, y_scores)
    backward = Candidates(backward.scores, backward.cosines, backward.y, backward.x)
    answer = np.full(len(back.rows), -1)
    answer[backward.y] = backward.x
    mutual = answer[forward.y] == forward.x
    if direction == "forward":
        chosen = forward
    elif direction == "backward":
        chosen = backward
    elif direction == "max":
        chosen = Candidates(
            np.concatenate([forward.scores, backward.scores]), np.concatenate([forward.cosines, backward.cosines]),
            np.concatenate([forward.x, backward.x]), np.concatenate([forward.y, backward.y]),
        )  # fmt: skip
    else:
        chosen = _taken(forward, mutual)
    pairs = _one_to_one(chosen, len(there.rows), len(back.rows))
    counts = {"forward": len(forward.x), "backward": len(backward.x), "mutual": int(mutual.sum())}
    return pairs, counts | {"candidates": len(pairs.x)}


def _best(near: Neighbours, scores: NDArray[np.float32]) -> Candidates:
    """The best neighbour of each row that has one; of equal scores the lower row."""
    rounded = np.round(scores.astype(np.float64), DECIMALS)
    has = np.flatnonzero((near.rows >= 0).any(axis=1))
    rounded, rows, cosines = rounded[has], near.rows[has], near.cosines[has]
    if not len(has):
        return Candidates(np.empty(0), np.empty(0), has, has)
    level = rounded == rounded.max(axis=1, keepdims=True)
    place = np.where(level, rows, np.iinfo(np.int64).max).argmin(axis=1)
    queries = np.arange(len(has))
    return Candidates(
        rounded[queries, place],
        np.round(cosines[queries, place].astype(np.float64), DECIMALS),
        has,
        rows[queries, place],
    )


def _one_to_one(pairs: Candidates, n: int, m: int) -> Candidates:
    """Best first, each row of either side once."""
    pairs = _taken(pairs, np.lexsort((pairs.y, pairs.x, -pairs.scores)))
    free_x, free_y = bytearray(b"\1") * n, bytearray(b"\1") * m
    kept = np.zeros(len(pairs.x), dtype=bool)
    for number, (i, j) in enumerate(zip(pairs.x.tolist(), pairs.y.tolist(), strict=True)):
        if free_x[i] and free_y[j]:
            free_x[i] = free_y[j] = False
            kept[number] = True
    return _taken(pairs, kept)


def _taken(pairs: Candidates, which: NDArray[Any]) -> Candidates:
    return Candidates(pairs.scores[which], pairs.cosines[which], pairs.x[which], pairs.y[which])


def _above(pairs: Candidates, threshold: float | None) -> Candidates:
    return pairs if threshold is None else _taken(pairs, pairs.scores >= threshold)


def _judged(pairs: Candidates, x: Side, y: Side, gold: Path | str | None, threshold: float | None) -> Quality | None:
    if gold is None:
        return None
    known = read_gold(Path(gold), x, y)
    judged, right = known.judge(pairs.x, pairs.y)
    if threshold is not None:
        return quality(pairs.scores[judged], right[judged], known.total, threshold)
    if not judged.any():
        raise InputError(f"{gold}: none of the {len(judged)} mined pairs has a sentence that it names")
    return best_threshold(pairs.scores[judged], right[judged], known.total)


def _check_choices(direction: str, engine: str, threshold: float | None) -> None:
    for name, value, known in (("direction", direction, DIRECTIONS), ("engine", engine, ENGINES)):
        if value not in known:
            raise InputError(f"unknown {name} {value!r}: expected one of {', '.join(known)}")
    if threshold is not None and np.isnan(threshold):
        raise InputError("the threshold is not a number: expected the least score to keep, such as 1.05")


def _check_encoders(x: Side, y: Side) -> None:
    if x.vectors is not None and y.vectors is not None:
        differ = differences(x.vectors.encoder, y.vectors.encoder, "in x", "in y")
        if differ:
            raise InputError(f"{x.name} and {y.name} are of two encoders: {differ}")
