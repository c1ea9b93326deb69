"""MEXA: at which layers does a model put a sentence nearest to its translation, of all the others?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import matrix
from align.tasks.mexa.result import MexaResult, MexaScore, Missing
from align.tasks.texts.line_checks import check_aligned

logger = logging.getLogger(__name__)

ROUNDING = 1e-12
"""Cosines computed from vectors tie within this: the last bits of a product depend on where a row stands in it."""

EncodeLayers = Callable[[Sequence[str], str], ArrayLike | Mapping[str, ArrayLike]]
"""(texts, language) -> (L', n, d) finite vectors at each layer, or one such array for each pooling by its name; never
called with a blank text."""


def cosines(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """(n, m) cosine of each row of ``x`` with each row of ``y``, in float64; NaN with a row of zeros, which has none.

    Raises:
        InputError: not two matrices of numbers of one width.
    """
    first, second = (matrix(side).astype(np.float64) for side in (x, y))
    if first.shape[1] != second.shape[1]:
        raise InputError(f"vectors of {first.shape[1]} and of {second.shape[1]} dimensions have no cosine")
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        units = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (first, second)]
        product: NDArray[np.float64] = units[0] @ units[1].T
    return product


def mexa_hits(similarity: ArrayLike, *, tolerance: float = 0.0) -> NDArray[np.bool_]:
    """Which sentences are nearer to their translation than to any other sentence, and their translation to them.

    hit_i = [c_ii > c_ij and c_ii > c_ji for every j != i], strict: a tie is no hit. A comparison with NaN is false, so
    a NaN in row or column i is no hit either. (The code published with the paper takes Python's ``max`` of a row, which
    finds or passes over a NaN by its place; without NaN the two agree.) A single sentence has no rival and hits.

    Args:
        similarity: (n, n) of pivot sentence i with sentence j of the language; its diagonal is the translations.
        tolerance: a rival nearer than this is a tie; 0: only an equal one is.

    Returns:
        (n,) bool.

    Raises:
        InputError: not a square matrix of at least one row.

    References:
        Kargaran et al. 2025, ACL Findings, arXiv:2410.05873, eq. 1.
    """
    scores = matrix(similarity).astype(np.float64)
    if scores.shape[0] != scores.shape[1] or not len(scores):
        raise InputError(f"MEXA needs a square matrix, a sentence and its translation in each row, got {scores.shape}")
    diagonal = scores.diagonal().copy()  # (n,)
    np.fill_diagonal(scores, -np.inf)
    rival = np.maximum(scores.max(axis=0), scores.max(axis=1))  # (n,), NaN where one is among them
    hits: NDArray[np.bool_] = diagonal > rival + tolerance
    return hits


def mexa_score(similarity: ArrayLike, *, tolerance: float = 0.0) -> float:
    """MEXA of one layer: mu = 1/n sum_i 1[c_ii > max_{j != i} {c_ij, c_ji}], from 0 to 1; see ``mexa_hits``.

    >>> mexa_score([[0.9, 0.1, 0.2], [0.3, 0.8, 0.8], [0.1, 0.2, 0.7]])  # 2 ties in its row, 3 loses in its column
    0.3333333333333333
    """
    return float(mexa_hits(similarity, tolerance=tolerance).mean())


@dataclass(frozen=True)
class _Layers:
    """Vectors of the lines of one language, by pooling."""

    vectors: Mapping[str, NDArray[Any]]
    """(L', lines that are not blank, d) by name of the pooling."""
    rows: NDArray[np.int64]
    """(lines,) row of each line in them, -1 for a blank line."""


def mexa(
    encode_layers: EncodeLayers,
    texts: Mapping[str, Sequence[str]],
    *,
    pivot: str = "eng_Latn",
    n: int = 100,
    layers: Sequence[int] | None = None,
    accuracy: Mapping[str, float] | None = None,
    per_item: bool = False,
) -> MexaResult:
    """MEXA of each language with the pivot, at every layer: which layers align a language, and how much of it.

    At each layer mu = 1/n sum_i 1[c_ii > max_{j != i} {c_ij, c_ji}], c the cosine of pivot sentence i and sentence j
    of the language, in float64. A model's score of a language is the mean of mu over the layers (the default of the
    paper) or their maximum; times the accuracy of a task in the pivot it estimates that task's in the language.
    Chance is 1 / (2n - 1): the higher n, the harder the task, so that only scores of one n can be compared.

    The first ``n`` lines are taken. A line that is blank in the pivot or the language is left out of that language and
    counted. Ties (closer than 1e-12, which is rounding) are no hits. A language whose vectors cannot be used is missing
    from the scores, with the reason; the others are scored.

    Args:
        encode_layers: see ``EncodeLayers``; such as ``align.encoders.layers.encode_layers`` of a model.
        texts: lines by language code, line-aligned; the pivot among them.
        pivot: code of the language that all others are compared with.
        n: how many lines.
        layers: the k of hidden_states[k] that ``encode_layers`` returns; ``None``: 0, 1, ...
        accuracy: of tasks in the pivot, 0 to 1, by name.
        per_item: keep the hits of each line at each layer.

    Returns:
        Curves over layers with their mean and maximum, by language and pooling.

    Raises:
        InputError: no line, unequal numbers of lines, no pivot or nothing beside it, ``n`` below 1, an accuracy that is
            not from 0 to 1, vectors of the pivot that are NaN, zero or of the wrong shape, or no language that could be
            scored (with the reason of the first).

    References:
        Kargaran et al. 2025, ACL Findings, arXiv:2410.05873.
    """
    if n < 1:
        raise InputError(f"MEXA needs at least 1 line, got n = {n}")
    n = min(n, check_aligned(texts))
    if pivot not in texts:
        raise InputError(f"no text in the pivot {pivot}; available: {', '.join(sorted(texts))}")
    if len(texts) < 2:
        raise InputError(f"MEXA needs a language beside the pivot {pivot}")
    for name, value in (accuracy or {}).items():
        if not 0 <= value <= 1:
            raise InputError(f"the accuracy of {name} is {value}; expected 0 to 1")
    base = _encoded(encode_layers, texts[pivot][:n], pivot, layers)
    scores: list[MexaScore] = []
    missing: list[Missing] = []
    others = [code for code in texts if code != pivot]
    for number, code in enumerate(others, 1):
        try:
            scores += _scored(base, _encoded(encode_layers, texts[code][:n], code, layers), code, per_item)
            logger.info("mexa %d/%d: %s, %.3f", number, len(others), code, scores[-1].mean)
        except InputError as error:
            missing.append(Missing(code, str(error)))
            logger.warning("mexa %d/%d: %s is missing: %s", number, len(others), code, error)
    if not scores:
        raise InputError(f"no language could be scored: {missing[0].reason}")
    depth = len(scores[0].curve)
    return MexaResult(
        pivot, n, tuple(range(depth) if layers is None else layers), tuple(scores), tuple(missing), dict(accuracy or {})
    )


def _encoded(encode_layers: EncodeLayers, lines: Sequence[str], code: str, layers: Sequence[int] | None) -> _Layers:
    """The lines that are not blank, encoded and checked."""
    filled = np.array([bool(line.strip()) for line in lines])
    given = [line for line in lines if line.strip()]
    if not given:
        raise InputError(f"{code}: all {len(lines)} lines are blank")
    try:
        found = encode_layers(given, code)
    except InputError as error:
        raise InputError(f"{code}: {error}") from error
    by_pooling = found if isinstance(found, Mapping) else {"": found}
    vectors = {}
    for pooling, values in by_pooling.items():
        array = np.asarray(values)
        if array.ndim != 3 or array.dtype.kind != "f" or array.shape[1] != len(given) or not len(array):
            raise InputError(
                f"{code}: expected vectors (layers, {len(given)} texts, dimensions), got {array.shape} of {array.dtype}"
            )
        if layers is not None and len(array) != len(layers):
            raise InputError(f"{code}: expected vectors of {len(layers)} layers, got {len(array)}")
        for place, layer in enumerate(array):
            k = place if layers is None else layers[place]
            _check_rows(layer, np.flatnonzero(filled), f"{code}, layer {k}")
        vectors[pooling] = array
    return _Layers(vectors, np.where(filled, np.cumsum(filled) - 1, -1))


def _check_rows(layer: NDArray[Any], lines: NDArray[np.int64], where: str) -> None:
    bad = np.flatnonzero(~np.isfinite(layer).all(axis=1))
    if len(bad):
        raise InputError(f"{where}: the vector of line {lines[bad[0]] + 1} is NaN or Inf ({len(bad)} of {len(layer)})")
    zero = np.flatnonzero(~layer.any(axis=1))
    if len(zero):
        raise InputError(f"{where}: the vector of line {lines[zero[0]] + 1} is zero ({len(zero)} of {len(layer)})")


def _scored(base: _Layers, other: _Layers, code: str, per_item: bool) -> list[MexaScore]:
    both = np.flatnonzero((base.rows >= 0) & (other.rows >= 0))
    if not len(both):
        raise InputError(f"{code} shares no line with the pivot: each is blank in one of them")
    if list(base.vectors) != list(other.vectors):
        raise InputError(f"{code}: poolings {list(other.vectors)}, but {list(base.vectors)} of the pivot")
    scores = []
    for pooling, pivot in base.vectors.items():
        mine = other.vectors[pooling]
        if (len(mine), mine.shape[2]) != (len(pivot), pivot.shape[2]):
            raise InputError(
                f"{code}: vectors of {len(mine)} layers and {mine.shape[2]} dimensions, but of {len(pivot)} and "
                f"{pivot.shape[2]} for the pivot"
            )
        hits = np.array([
            mexa_hits(cosines(a[base.rows[both]], b[other.rows[both]]), tolerance=ROUNDING)
            for a, b in zip(pivot, mine, strict=True)
        ])  # (L', n)  # fmt: skip
        kept = tuple(map(tuple, hits.astype(int).tolist())) if per_item else None
        curve = tuple(hits.mean(axis=1).tolist())
        scores.append(MexaScore(code, pooling, len(both), len(base.rows) - len(both), curve, kept))
    return scores
