"""xsim and xsim++: how often bitext mining aligns a line with another than its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.similarity.cosine import TIE_TOLERANCE, matrix
from align.similarity.margin import check_score, margin_top_k
from align.tasks.embedding import Encode, Side, embed
from align.tasks.result import Result
from align.tasks.retrieval.protocols import Pair
from align.tasks.retrieval.task import checked_pairs, numbered, shared_lines
from align.tasks.task import Row, Task, Unit, row
from align.tasks.texts.bitext import PIVOT, Texts, parallel_units
from align.tasks.texts.hard_negatives import KINDS, HardNegative, HardNegatives, hard_negatives
from align.tasks.texts.line_checks import check_aligned
from align.text.hashing import text_sha256

MISALIGNED = "misaligned"


@dataclass(frozen=True)
class XsimScore:
    """Every line of one language, aligned with the lines of another."""

    queries: str
    """Language of the lines that are aligned."""
    candidates: str
    """Language that they are aligned with."""
    n: int
    """Lines scored."""
    left_out: int
    """Lines that are blank on either side."""
    error: float
    """Share of lines that are aligned with another, from 0 to 1."""
    kinds: Mapping[str, float]
    """The share that each kind of winner has in it: ``misaligned``, another line; or a kind of hard negative."""
    negatives: Mapping[str, int]
    """Hard negatives among the candidates, by kind."""
    untouched: int
    """Lines scored without a hard negative of their own."""
    items: tuple[int, ...] | None = field(default=None, repr=False)
    """1 for each line that is aligned with another, 0 for the others; kept by choice."""


@dataclass(frozen=True)
class Mining:
    """How xsim is scored."""

    name: str
    headline: str = "error"
    similarity: str = "ratio"
    """``ratio``, ``distance``, ``csls`` or ``cosine``."""
    k: int = 4
    """Nearest candidates by cosine that the similarity chooses from; neighbours in its means."""
    per_kind: int = 0
    """The most hard negatives of one kind that a line gets; 0: there are none."""
    seed: int = 0
    """Of the hard negatives."""

    def describe(self) -> str:
        """One line for the head of a table."""
        among = "lines and the hard negatives of each" if self.per_kind else "lines"
        return (
            f"{self.name}: share of lines whose best candidate is another; candidates: of all {among} on the other "
            f"side the {self.k} nearest by cosine, ranked by {self.similarity}; equal texts: all right; ties: against "
            "the model (tolerance 1e-06); headline error"
        )


def xsim_winners(
    x: ArrayLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    similarity: str = "ratio",
    k: int = 4,
    block: int = 2048,
) -> NDArray[np.int64]:
    """The row of ``y`` that each row of ``x`` is aligned with.

    Of the ``k`` rows of ``y`` nearest to x_i by cosine the one of the highest similarity, whose means are over the k
    nearest rows of ``y`` (of x_i) and of ``x`` (of each candidate). A wrong row within 1e-6 of the best right one is
    ahead of it.

    Args:
        x: (n, d).
        y: (m, d), m >= n; row i is right for x_i, the rows from n on are further candidates.
        groups: (m,) integers; a row of ``y`` with the number of row i is right for x_i too. ``None``: none is.
        similarity: ``ratio``, ``distance``, ``csls``, or ``cosine`` (LASER's absolute).
        k: at least 1.
        block: rows of each side in one product.

    Returns:
        (n,) rows of ``y``: i where a right row wins, else the wrong one.

    Raises:
        InputError: fewer rows in ``y``, groups of another length, or as :func:`align.similarity.margin.margin_top_k`.
    """
    x, y = matrix(x), matrix(y)
    if len(x) > len(y):
        raise InputError(f"x has {len(x)} rows, y has {len(y)}: expected a row of y for every row of x")
    numbers = np.arange(len(y)) if groups is None else np.asarray(groups)
    if numbers.shape != (len(y),):
        raise InputError(f"groups have shape {numbers.shape}: expected an integer for each of {len(y)} rows")
    sources = np.arange(len(x))
    if not len(x):
        return sources
    scores, rows = margin_top_k(x, y, score=similarity, k=k, block=block)
    right = numbers[rows] == numbers[sources, None]
    wrong = np.where(right, -np.inf, scores)
    lost = np.where(right, scores, -np.inf).max(axis=1) <= wrong.max(axis=1) + TIE_TOLERANCE
    winners: NDArray[np.int64] = np.where(lost, rows[sources, wrong.argmax(axis=1)], sources)
    return winners


def xsim(
    encode: Encode,
    texts: Mapping[str, Sequence[str]],
    pairs: Sequence[Pair] | None = None,
    *,
    similarity: str = "ratio",
    k: int = 4,
    per_item: bool = False,
    negatives: Mapping[str, HardNegatives] | None = None,
) -> Result[XsimScore]:
    """Error of aligning each line of a language with the lines of another.

    error = #{i : the winner of line i (see :func:`xsim_winners`) has another text than its own line} / n.
    A line that is blank in either language of a pair is left out of that pair and counted.

    Args:
        encode: (texts, language code) -> (n, d) finite embeddings, never called with a blank text.
        texts: lines by language code, line-aligned across languages.
        pairs: (queries, candidates); ``None``: each other language with eng_Latn.
        similarity: ``ratio``, ``distance``, ``csls``, or ``cosine`` (LASER's absolute).
        k: at least 1.
        per_item: keep which lines are wrong.
        negatives: by language, more candidates, see :func:`xsim_plus`; ``None``: the lines alone.

    Raises:
        InputError: no eng_Latn and no pairs, an unknown similarity, or as :func:`align.tasks.retrieval.task`.

    References:
        LASER, tasks/xsim (there an error is a percentage, a tie goes by the order of the rows, and a mean below zero
        is divided by as it is); Artetxe and Schwenk 2019, arXiv:1811.01136.
    """
    check_score(similarity, k)
    check_aligned(texts)
    if pairs is None:
        pairs = [(code, PIVOT) for code in sorted(texts) if code != PIVOT]
        if PIVOT not in texts or not pairs:
            raise InputError(f"xsim needs {PIVOT} and another language, or explicit pairs; got {', '.join(texts)}")
    pairs = checked_pairs(pairs, texts)
    uses = Counter(code for pair in pairs for code in pair)
    sides: dict[str, Side] = {}
    vectors: dict[str, NDArray[np.float32]] = {}  # of hard negatives
    scores = []
    for pair in pairs:
        for code in pair:
            if code not in sides:
                n, more = len(texts[code]), _of(negatives, code)
                side = embed(encode, [*texts[code], *(one.text for one in more)], code)
                sides[code], vectors[code] = Side(side.embeddings[:n], side.filled[:n]), side.embeddings[n:]
        more = _of(negatives, pair[1])
        score = _score(pair, sides, texts[pair[1]], more, vectors[pair[1]], similarity, k)
        scores.append(score if per_item else replace(score, items=None))
        for code in pair:
            uses[code] -= 1
            if not uses[code]:
                del sides[code], vectors[code]
    protocol = Mining("xsim" if negatives is None else "xsim++", similarity=similarity, k=k)
    return Result(tuple(scores), tuple(score.error for score in scores), protocol)


def xsim_plus(
    encode: Encode,
    texts: Mapping[str, Sequence[str]],
    pairs: Sequence[Pair] | None = None,
    *,
    similarity: str = "ratio",
    k: int = 4,
    per_item: bool = False,
    per_kind: int = 1,
    seed: int = 0,
) -> Result[XsimScore]:
    """:func:`xsim` with sentences among the candidates that nearly say the same, see ``texts.hard_negatives``.

    The error is also given by kind of what won: a hard negative of the line itself counts as its kind, all else as
    ``misaligned``.

    Args:
        encode: (texts, language code) -> (n, d) finite embeddings, never called with a blank text.
        texts: lines by language code, line-aligned across languages.
        pairs: (queries, candidates), the candidates English; ``None``: each other language with eng_Latn.
        similarity: ``ratio``, ``distance``, ``csls``, or ``cosine``.
        k: at least 1.
        per_item: keep which lines are wrong.
        per_kind: the most hard negatives of one kind that a line gets.
        seed: of the hard negatives.

    Raises:
        InputError: candidates that are not English, or as :func:`xsim`.

    References:
        Chen et al. 2023, arXiv:2306.12907 (there other rules make the negatives, and many for each line).
    """
    targets = list(dict.fromkeys(pair[1] for pair in pairs)) if pairs is not None else [PIVOT]
    for code in targets:
        if not code.startswith("eng_"):
            raise InputError(f"hard negatives are made of English sentences only, got {code} as candidates")
    made = {
        code: hard_negatives(texts[code], per_kind=per_kind, seed=seed) for code in targets if code in texts
    }  # fmt: skip
    result = xsim(encode, texts, pairs, similarity=similarity, k=k, per_item=per_item, negatives=made)
    return replace(result, protocol=replace(result.protocol, per_kind=per_kind, seed=seed))


def _of(negatives: Mapping[str, HardNegatives] | None, code: str) -> tuple[HardNegative, ...]:
    return negatives[code].negatives if negatives and code in negatives else ()


def _score(
    pair: Pair,
    sides: Mapping[str, Side],
    texts: Sequence[str],
    negatives: Sequence[HardNegative],
    vectors: NDArray[np.float32],
    similarity: str,
    k: int,
) -> XsimScore:
    lines = shared_lines(sides, pair)
    x, y = (sides[code].embeddings[lines] for code in pair)
    kept = np.flatnonzero(np.isin([one.line for one in negatives], lines))
    chosen = [negatives[int(row)] for row in kept]
    groups = numbered([*(texts[line] for line in lines), *(one.text for one in chosen)])
    winners = xsim_winners(x, np.concatenate([y, vectors[kept]]), groups=groups, similarity=similarity, k=k)
    wrong = np.flatnonzero(winners != np.arange(len(lines)))
    kinds = {(one.line, group): one.kind for one, group in zip(chosen, groups[len(lines) :], strict=True)}
    won = Counter(kinds.get((lines[row], groups[winners[row]]), MISALIGNED) for row in wrong)
    made = Counter(one.kind for one in chosen)
    items = np.zeros(len(lines), dtype=int)
    items[wrong] = 1
    return XsimScore(
        queries=pair[0], candidates=pair[1], n=len(lines), left_out=len(texts) - len(lines),
        error=len(wrong) / len(lines),
        kinds={kind: won[kind] / len(lines) for kind in (MISALIGNED, *(KINDS if negatives else ()))},
        negatives={kind: made[kind] for kind in KINDS} if negatives else {},
        untouched=len(lines) - len({one.line for one in chosen}), items=tuple(items.tolist()),
    )  # fmt: skip


def _read(source: str | Path, languages: Sequence[str] | None, protocol: Mining) -> Iterator[Unit]:
    return parallel_units(source, languages, scripts=False)


def _rows(encode: Encode, unit: Unit, texts: Texts, protocol: Mining) -> list[Row]:
    similarity, k = protocol.similarity, protocol.k
    if protocol.per_kind:
        found = xsim_plus(
            encode, texts, similarity=similarity, k=k, per_item=True, per_kind=protocol.per_kind, seed=protocol.seed
        )
    else:
        found = xsim(encode, texts, similarity=similarity, k=k, per_item=True)
    (score,) = found.scores
    filled = [all(text.strip() for text in line) for line in zip(*texts.values(), strict=True)]
    lines: list[int | str] = [line for line, kept in enumerate(filled, 1) if kept]
    if unit.lines == "text":
        lines = [text_sha256(texts[PIVOT][int(line) - 1])[:12] for line in lines]
    made = {"negatives": dict(score.negatives), "untouched": score.untouched}
    facts = {"facts": made} if protocol.per_kind else {}
    return [row(
        f"{score.queries}>{score.candidates}", score.queries, score.candidates, "to_pivot", score.items or (), lines,
        left_out=score.left_out, metrics={"error": score.error, **score.kinds}, **facts,
    )]  # fmt: skip


TASK = Task(
    "xsim", "how often does bitext mining err, with hard negatives too?", _read, _rows, lambda texts: texts.items(),
    {"xsim": Mining("xsim"), "xsim++": Mining("xsim++", per_kind=1)}, "xsim", higher_is_better=False,
    chance=lambda row, protocol: 1 - 1 / row["n"],
)  # fmt: skip
