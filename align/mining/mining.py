"""Bitext mining: the pairs of two corpora whose vectors are nearer to each other than to their neighbours.

A candidate is the best-scored of the ``k`` nearest of a sentence (forward: of x, backward: of y); the score is a margin
(:mod:`align.similarity.margin`). Pairs are taken best first, and no sentence twice (Artetxe and Schwenk 2019,
arXiv:1811.01136).

Vectors are copied once to temporary memory-mapped files, so that memory holds tiles of ``block * block`` cosines,
``block`` rows of either side, and O((n + m) k) numbers: of twice 1 million sentences, with k = 4, below 1 GB.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError, unknown
from align.files.nested import differences
from align.mining.neighbours import ENGINES, faiss_neighbours
from align.mining.pairs import Candidates, judged, write_mined
from align.mining.shards import Sharded
from align.mining.sides import Side, side
from align.similarity.margin import check_score, margins
from align.similarity.nearest import Neighbours, exact_neighbours
from align.vectors.folder import Vectors

DIRECTIONS = ("intersection", "forward", "backward", "max")
DECIMALS = 6
"""Of a score: what is written, compared with the threshold, and a tie."""


NO_PAIRS = Candidates(*(np.empty(0), np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64)))


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
    offsets: Path | str | None = None,
    shard: str | None = None,
    shards: int | None = None,
    address: str | None = None,
    progress: bool = False,
) -> Mined:
    r"""Mine the translations that two corpora hold of each other.

    Of the copies of a text in a folder the first stands for all; of the pairs of a sentence the best is kept. Pairs of
    equal scores (to six decimals) come in the order of their rows.

    Args:
        x: a folder of vectors or an (n, d) array, in which every row is a sentence of its own.
        y: another of the same encoder.
        out: TSV to write, whole: a header, then score, cosine, x_id, y_id, and x_text, y_text where texts are stored.
            A tab or line end in an id stands as ``\t``, ``\n``, ``\r``, in a text as a space; a backslash is itself.
            Ids of an array are its rows.
        score: ``ratio``, ``distance``, ``csls`` or ``cosine``.
        k: nearest by cosine that are candidates and make the means.
        direction: ``forward``: the best of each sentence of ``x``; ``backward``: of ``y``; ``intersection``: pairs that
            are both; ``max``: pairs that are either.
        threshold: the least score kept; ``None``: with ``gold`` the one of the best F1, else all are kept.
        gold: TSV of x_id TAB y_id; see :func:`align.mining.pairs.judged`.
        engine: ``exact``; ``faiss``: approximate neighbours; or ``ray``: exact ones, found by a cluster in ``shards``.
        factory: of the FAISS index, see :func:`align.mining.neighbours.faiss_neighbours`.
        probes: clusters of it that are visited.
        block: rows of each side in one product; bounds memory.
        temporary: folder for the copies, as large as the vectors; ``None``: beside ``out``, or the system's.
        offsets: folder of :func:`align.offsets`, to be taken off vectors that were encoded without.
        shard: do this share alone, ``2/8``, and leave what it finds beside ``out``: of an array job, whose last step is
            the same call with ``shards=8``.
        shards: of ``ray``, how many tasks; else merge so many that were done. What they left is removed in the end.
        address: of the Ray cluster, ``auto`` or host:port; ``None``: Ray is started on this machine.
        progress: show a bar.

    Raises:
        InputError: an unknown option, offsets of an array, the wrong ones or again, folders of two encoders, a
            damaged folder, NaN or Inf, gold ids that are not there, or a full disk.
    """
    check_score(score, k)
    _check_choices(direction, engine, threshold)
    left, right = side(x, offsets), side(y, offsets)
    _check_encoders(left, right)
    sharded = Sharded(Path(out) if out else None, shard, shards, engine, address)
    if sharded.asked:
        found = sharded.neighbours(left, right, k=k, block=block)
        if found is None:
            return Mined(NO_PAIRS, {"shard": shard})
        near = found
    else:
        near = _alone(left, right, Path(temporary) if temporary else Path(out).parent if out else None, engine,
                      factory=factory, probes=probes, k=k, block=block, progress=progress)  # fmt: skip
    pairs, counts = candidates(*near, score=score, direction=direction)
    quality = None if gold is None else judged(Path(gold), pairs, left, right, threshold)
    threshold = quality.threshold if quality else threshold
    kept = pairs if threshold is None else pairs.taken(pairs.scores >= threshold)
    kept = kept._replace(x=left.first[kept.x], y=right.first[kept.y])
    numbers = {
        **{name: {"rows": each.rows, "copies": each.copies} for name, each in (("x", left), ("y", right))}, **counts,
        "threshold": threshold, "kept": len(kept.scores),
    } | (quality._asdict() if quality else {})  # fmt: skip
    if out is not None:
        write_mined(Path(out), kept, left.fields(kept.x), right.fields(kept.y))
        sharded.clear()
    return Mined(kept, numbers)


def _alone(left: Side, right: Side, place: Path | None, engine: str, *, factory: str | None, probes: int,
           **options: Any) -> tuple[Neighbours, Neighbours]:  # fmt: skip
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    find: Callable[..., tuple[Neighbours, Neighbours]] = exact_neighbours
    if engine == "faiss":
        find = partial(faiss_neighbours, factory=factory, probes=probes)
    with tempfile.TemporaryDirectory(prefix=".align-mine.", dir=place) as folder:
        return find(left.unique_rows(Path(folder) / "x"), right.unique_rows(Path(folder) / "y"), **options)


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
    backward = backward._replace(x=backward.y, y=backward.x)
    answer = np.full(len(back.rows), -1)
    answer[backward.y] = backward.x
    mutual = answer[forward.y] == forward.x
    chosen = backward if direction == "backward" else forward
    if direction == "intersection":
        chosen = forward.taken(mutual)
    elif direction == "max":
        both: list[Any] = [np.concatenate(each) for each in zip(forward, backward, strict=True)]
        chosen = Candidates(*both)
    pairs = _one_to_one(chosen, len(there.rows), len(back.rows))
    counts = {"forward": len(forward.x), "backward": len(backward.x), "mutual": int(mutual.sum())}
    return pairs, counts | {"candidates": len(pairs.x)}


def _best(near: Neighbours, scores: NDArray[np.float32]) -> Candidates:
    """The best neighbour of each row that has one; of equal scores the lower row."""
    rounded = np.round(scores.astype(np.float64), DECIMALS)
    has = np.flatnonzero((near.rows >= 0).any(axis=1))
    rounded, cosines, rows = rounded[has], near.cosines[has].astype(np.float64), near.rows[has]
    if not len(has):
        return Candidates(np.empty(0), np.empty(0), has, has)
    level = rounded == rounded.max(axis=1, keepdims=True)
    best = np.arange(len(has)), np.where(level, rows, np.iinfo(np.int64).max).argmin(axis=1)
    return Candidates(rounded[best], np.round(cosines[best], DECIMALS), has, rows[best])


def _one_to_one(pairs: Candidates, n: int, m: int) -> Candidates:
    """Best first, each row of either side once."""
    pairs = pairs.taken(np.lexsort((pairs.y, pairs.x, -pairs.scores)))
    free_x, free_y = bytearray(b"\1") * n, bytearray(b"\1") * m
    kept = np.zeros(len(pairs.x), dtype=bool)
    for number, (i, j) in enumerate(zip(pairs.x.tolist(), pairs.y.tolist(), strict=True)):
        if free_x[i] and free_y[j]:
            free_x[i] = free_y[j] = False
            kept[number] = True
    return pairs.taken(kept)


def _check_choices(direction: str, engine: str, threshold: float | None) -> None:
    for name, value, known in (("direction", direction, DIRECTIONS), ("engine", engine, (*ENGINES, "ray"))):
        if value not in known:
            raise InputError(unknown(name, value, known))
    if threshold is not None and np.isnan(threshold):
        raise InputError("the threshold is not a number: expected the least score to keep, such as 1.05")


def _check_encoders(x: Side, y: Side) -> None:
    if isinstance(x.given, Vectors) and isinstance(y.given, Vectors):
        differ = differences(x.given.encoder, y.given.encoder, "in x", "in y")
        if differ:
            raise InputError(f"{x.name} and {y.name} are of two encoders: {differ}")
