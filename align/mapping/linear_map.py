"""A normalisation and a matrix: what takes the vectors of one language into the shared space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import matrix, normalize

STEPS = ("unit", "center")


@dataclass(frozen=True, eq=False)
class Normalization:
    """Steps that vectors go through before a map, with the means that were learned from a vocabulary.

    ``unit`` divides rows by their length, ``center`` subtracts the mean. A row of zeros is a word without a vector: it
    does not count in a mean and stays zero.
    """

    steps: tuple[str, ...]
    """Of ``unit`` and ``center``, in order; none: vectors as they are."""
    means: tuple[NDArray[np.float32], ...]
    """(d,) for each ``center``."""

    def __call__(self, x: ArrayLike) -> NDArray[np.float32]:
        """(n, d) rows after all steps.

        Raises:
            InputError: not a matrix of numbers, or a row holds NaN or Inf.
        """
        rows, means = _finite(x), iter(self.means)
        for step in self.steps:
            rows = normalize(rows) if step == "unit" else _shifted(rows, next(means))
        return rows


def learn_normalization(x: ArrayLike, steps: str) -> tuple[Normalization, NDArray[np.float32]]:
    """The normalisation of a vocabulary, and its normalised rows.

    Args:
        x: (n, d), a row for each word.
        steps: names with commas, such as ``unit,center,unit``; ``none``.

    Raises:
        InputError: a step of another name, or a row holds NaN or Inf.
    """
    names = () if steps == "none" else tuple(steps.split(","))
    for name in names:
        if name not in STEPS:
            raise InputError(f"unknown normalisation {name!r} in {steps!r}: expected none, or of unit and center")
    rows, means = _finite(x), []
    for name in names:
        if name == "unit":
            rows = normalize(rows)
        else:
            means.append(rows[rows.any(axis=1)].mean(axis=0, dtype=np.float64).astype(np.float32))
            rows = _shifted(rows, means[-1])
    return Normalization(names, tuple(means)), rows


@dataclass(frozen=True, eq=False)
class LinearMap:
    """x -> normalization(x) W."""

    normalization: Normalization
    matrix: NDArray[np.float64]
    """(d, d) W; it stands on the right of row vectors."""

    def __call__(self, x: ArrayLike, *, block: int = 2048) -> NDArray[np.float32]:
        """Vectors in the shared space, of these words or of any others of the language.

        Args:
            x: (n, d).
            block: rows that are worked on at a time.

        Returns:
            (n, d) float32.

        Raises:
            InputError: another width, or a row holds NaN or Inf.
        """
        rows = matrix(x)
        if rows.shape[1] != len(self.matrix):
            raise InputError(f"vectors of {rows.shape[1]} dimensions; expected the map's {len(self.matrix)}")
        mapped = np.empty(rows.shape, dtype=np.float32)
        for start in range(0, len(rows), block):
            here = slice(start, start + block)
            mapped[here] = self.normalization(rows[here]) @ self.matrix.astype(np.float32)
        return mapped


@dataclass(frozen=True, eq=False)
class Fit:
    """Maps of two languages into one space."""

    source: LinearMap
    target: LinearMap
    """The identity, but for VecMap."""
    pairs: NDArray[np.int64]
    """(n, 2) rows of source and target: the dictionary that the maps were fitted to."""
    measure: str
    """What ``objective`` measures."""
    objective: tuple[float, ...]
    """Its course, from the start to the maps that are given."""


@dataclass(frozen=True, eq=False)
class Spaces:
    """Two normalised vocabularies."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    source: Normalization
    target: Normalization

    def fit(
        self,
        source: NDArray[np.float64],
        pairs: NDArray[np.int64],
        measure: str,
        objective: list[float],
        *,
        target: NDArray[np.float64] | None = None,
    ) -> Fit:
        """The ``Fit`` of these matrices; ``target`` None: the identity."""
        target = np.eye(self.y.shape[1]) if target is None else target
        return Fit(
            LinearMap(self.source, source), LinearMap(self.target, target), pairs, measure, tuple(map(float, objective))
        )


def normalized_spaces(x: ArrayLike, y: ArrayLike, steps: str) -> Spaces:
    """Both sides normalised.

    Raises:
        InputError: the widths differ, a side is empty, or a row holds NaN or Inf; it says on which side.
    """
    sides = []
    for name, given in (("source", x), ("target", y)):
        try:
            sides.append(learn_normalization(given, steps))
        except InputError as error:
            raise InputError(f"{name} vectors: {error}") from error
        if not sides[-1][1].size:
            raise InputError(f"{name} vectors: expected one at least, none were given")
    (source, rows_x), (target, rows_y) = sides
    if rows_x.shape[1] != rows_y.shape[1]:
        raise InputError(
            f"source vectors have {rows_x.shape[1]} dimensions, target vectors {rows_y.shape[1]}: "
            "expected the same number, as the map is orthogonal"
        )
    return Spaces(rows_x, rows_y, source, target)


def checked_pairs(pairs: ArrayLike, spaces: Spaces) -> NDArray[np.int64]:
    """``pairs`` as (n, 2) rows of source and target.

    Raises:
        InputError: another shape, none at all, or a row that does not exist.
    """
    rows = np.asarray(pairs)
    if rows.size == 0:
        raise InputError("no pair of words to learn a map from: expected at least one with a vector on both sides")
    if rows.ndim != 2 or rows.shape[1] != 2 or rows.dtype.kind not in "iu":
        raise InputError(f"pairs have shape {rows.shape} of {rows.dtype}: expected (n, 2) rows of source and target")
    for side, name, size in ((0, "source", len(spaces.x)), (1, "target", len(spaces.y))):
        least, most = rows[:, side].min(), rows[:, side].max()
        if least < 0 or most >= size:
            raise InputError(f"pairs name {name} rows {least} to {most}: expected 0 to {size - 1}")
    return rows.astype(np.int64)


def _finite(x: ArrayLike) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        rows = matrix(x).astype(np.float32, copy=False)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise InputError(f"row {bad[0]} holds NaN or Inf as float32; expected finite numbers")
    return rows


def _shifted(rows: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted: NDArray[np.float32] = np.where(rows.any(axis=1, keepdims=True), rows - mean, rows)
    return shifted
