"""MEXA: at which layers does a model put a sentence nearest to its translation, of all the others?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError, there_are
from align.files.whole import read_json
from align.similarity.cosine import matrix
from align.tasks.layers import best_layer
from align.tasks.result import Result
from align.tasks.task import Row, Task, Unit, row
from align.tasks.texts.bitext import Texts, parallel_units
from align.tasks.texts.line_checks import check_aligned

logger = logging.getLogger(__name__)

ROUNDING = 1e-12
"""Cosines computed from vectors tie within this: the last bits of a product depend on where a row stands in it."""

EncodeLayers = Callable[[Sequence[str], str], ArrayLike | Mapping[str, ArrayLike]]
"""(texts, language) -> (L', n, d) finite vectors at each layer, or one such array for each pooling by its name; never
called with a blank text."""


@dataclass(frozen=True)
class MexaScore:
    """One language with the pivot, by one pooling."""

    language: str
    """Code."""
    pooling: str
    """mean, weighted, last, cls, or nothing: the model's own."""
    n: int
    """Lines scored."""
    left_out: int
    """Lines that are blank in the language or the pivot."""
    curve: tuple[float, ...]
    """(L',) mu at each layer, 0 to 1."""
    hits: tuple[tuple[int, ...], ...] | None = field(default=None, repr=False)
    """(L', n) 1 where a line hits at a layer; kept by choice."""

    @property
    def mean(self) -> float:
        """Mean of mu over layers."""
        return float(np.mean(self.curve))

    @property
    def max(self) -> float:
        """Highest mu of a layer."""
        return max(self.curve)

    @property
    def items(self) -> list[float] | None:
        """(n,) share of the layers at which each line hits; their mean is ``mean``. ``None``: hits were not kept."""
        return None if self.hits is None else [float(share) for share in np.mean(self.hits, axis=0)]


@dataclass(frozen=True)
class Mexa:
    """How MEXA is scored."""

    name: str = "mexa"
    headline: str = "mexa"
    pivot: str = "eng_Latn"
    """The language that all are compared with."""
    n: int = 100
    """Lines; scores of another n cannot be compared."""
    accuracy: str | None = None
    """JSON file of task accuracies in the pivot, ``{"belebele": 0.82}``: adjusts the scores."""

    def __post_init__(self) -> None:
        """Refuse no lines."""
        if self.n < 1:
            raise InputError(f"MEXA needs at least 1 line, got n = {self.n}")

    def describe(self) -> str:
        """One line for the head of a table."""
        return (
            "mexa: share of lines nearer to their translation than to any other line, and it to them; cosine with "
            f"{self.pivot}; strict (a tie is no hit; 1e-12 for rounding); n = {self.n} (first lines), chance "
            f"{chance(self.n):.3f}; every layer of hidden_states, by mean (headline) and maximum"
        )


def chance(n: int) -> float:
    """MEXA of random vectors: 1 / (2n - 1), the share of the 2n - 1 cosines of a row and a column that is the own.

    >>> round(chance(100), 5)
    0.00503
    """
    return 1 / (2 * n - 1)


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
    per_item: bool = False,
) -> Result[MexaScore]:
    """MEXA of each language with the pivot, at every layer: which layers align a language, and how much of it.

    At each layer mu = 1/n sum_i 1[c_ii > max_{j != i} {c_ij, c_ji}], c the cosine of pivot sentence i and sentence j
    of the language, in float64. A model's score of a language is the mean of mu over the layers (the default of the
    paper) or their maximum; times the accuracy of a task in the pivot it estimates that task's (``adjusted``).
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
        raise InputError(f"no text in the pivot {pivot}; available: {there_are(pivot, sorted(texts))}")
    if len(texts) < 2:
        raise InputError(f"MEXA needs a language beside the pivot {pivot}")
    base = _encoded(encode_layers, texts[pivot][:n], pivot, layers)
    scores: list[MexaScore] = []
    missing: dict[str, str] = {}
    others = [code for code in texts if code != pivot]
    for number, code in enumerate(others, 1):
        try:
            scores += _scored(base, _encoded(encode_layers, texts[code][:n], code, layers), code, per_item)
            logger.info("mexa %d/%d: %s, %.3f", number, len(others), code, scores[-1].mean)
        except InputError as error:
            missing[code] = str(error)
            logger.warning("mexa %d/%d: %s is missing: %s", number, len(others), code, error)
    if not scores:
        raise InputError(f"no language could be scored: {next(iter(missing.values()))}")
    values = tuple(score.mean for score in scores if score.pooling == scores[0].pooling)
    return Result(tuple(scores), values, Mexa(pivot=pivot, n=n), {"missing": missing})


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


def _read(source: str | Path, languages: Sequence[str] | None, protocol: Mexa) -> Iterator[Unit]:
    return parallel_units(source, languages, pivot=protocol.pivot, scripts=False)


def _rows(encode: EncodeLayers, unit: Unit, texts: Texts, protocol: Mexa) -> list[Row]:
    accuracy = _read_accuracy(Path(protocol.accuracy)) if protocol.accuracy else {}
    (score,) = mexa(encode, texts, pivot=protocol.pivot, n=protocol.n, per_item=True).scores
    shared = [all(text.strip() for text in line) for line in list(zip(*texts.values(), strict=True))[: protocol.n]]
    facts: dict[str, Any] = {"chance": chance(score.n), "at_layer": best_layer(score.curve)}
    return [row(
        score.language, score.language, protocol.pivot, "to_pivot", [round(share, 6) for share in score.items or ()],
        [line for line, kept in enumerate(shared, 1) if kept], value=score.mean, left_out=score.left_out,
        metrics={"mexa": score.mean, "maximum": score.max}, curve=list(score.curve),
        facts=facts | ({"adjusted": adjusted(score, accuracy)} if accuracy else {}),
    )]  # fmt: skip


def adjusted(score: MexaScore, accuracy: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Score (mu) times accuracy in the pivot, for each task: its estimate in the language, from mean and maximum of mu.

    Raises:
        InputError: an accuracy that is not from 0 to 1.
    """
    for name, value in accuracy.items():
        if not 0 <= value <= 1:
            raise InputError(f"the accuracy of {name} is {value}; expected 0 to 1")
    return {task: {"mean": score.mean * value, "max": score.max * value} for task, value in accuracy.items()}


def _read_accuracy(path: Path) -> Mapping[str, float]:
    found: Any = read_json(path)
    numbers = isinstance(found, dict) and all(type(value) in (int, float) for value in found.values())
    if not numbers or not found:
        raise InputError(f'{path}: expected accuracies by task, such as {{"belebele": 0.82}}')
    return {str(task): float(value) for task, value in found.items()}


TASK = Task(
    "mexa", "at which layers is a sentence nearest to its translation (decoders too)?", _read, _rows,
    lambda texts: texts.items(), {"mexa": Mexa()}, "mexa", inputs="layers",
    chance=lambda row, protocol: chance(row["n"]),
)  # fmt: skip
