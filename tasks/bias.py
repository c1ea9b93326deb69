"""Language bias: in a collection of several languages, does a text find its own language before what says the same?"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.similarity.nearest import top_k
from align.tasks.embedding import Encode, embed
from align.tasks.layers import split_lines
from align.tasks.measures.logistic import fit_logistic
from align.tasks.result import Result
from align.tasks.task import Row, Task, Unit, row
from align.tasks.texts.bitext import Texts, read_sets
from align.tasks.texts.line_checks import check_aligned

logger = logging.getLogger(__name__)

PENALTY = 0.01
"""L2, of the probe."""


@dataclass(frozen=True)
class BiasScore:
    """The queries of one language, each among all other texts of all languages."""

    language: str
    """Its code."""
    n: int
    """Lines scored."""
    left_out: int
    """Lines that are blank in some language, or stood before in one."""
    excess: float
    """Share of hits in the query's language beyond what relevance explains: 0 for an encoder that does not see it."""
    same: float
    """Share of hits in the query's language."""
    relevant: float
    """Share of hits that say the same, of as many as there can be among the hits."""
    identity: float | None
    """Share of held-out lines of which a linear probe tells the language; ``None``: there is but one line."""
    chance: float
    """Of ``identity`` by guessing: one over the number of languages."""
    lines: tuple[int, ...] = field(default=(), repr=False)
    """Number (from 1) of each line scored."""
    items: tuple[float, ...] = field(default=(), repr=False)
    """``excess`` of each."""


@dataclass(frozen=True)
class Collection:
    """How language bias is scored."""

    name: str = "mixed"
    headline: str = "excess"
    k: int = 10
    """Hits of each query."""
    probe_lines: int = 200
    """Lines that the probe learns on, at most, and as many that it is asked about."""

    def describe(self) -> str:
        """One line for the head of a table."""
        return (
            f"language bias: the {self.k} nearest by cosine among all texts of all languages but the query; excess is "
            "the share in the query's language less that of other hits than translations, by chance; identity: a "
            f"logistic probe (standardised vectors, L2 penalty {PENALTY:g}) of {self.probe_lines} lines on others"
        )


def language_bias(
    encode: Encode, texts: Mapping[str, Sequence[str]], *, k: int = 10, probe_lines: int = 200, seed: int = 0
) -> Result[BiasScore]:
    """How many hits are in the query's language that need not be, in one collection of all languages.

    The collection is every line in each of L languages; a query is each of its texts, and the candidates are all
    others. Relevant are the L - 1 other texts of the query's line, none of which is in its language. Of k hits let s be
    in the query's language and r relevant. The other k - r are explained by no relevance; an encoder blind to language
    would take each of them from any language alike, and so has s = (k - r) / L on average. Therefore

        excess = s / k - (1 - r / k) / L

    which is 0 for such an encoder, however well it finds translations, and 1 - 1 / L where all hits are in the query's
    language. Equally near candidates come by lot, as do the lines of the probe.

    Beside it, how well a linear probe tells the language from the vector (``identity``), learnt on one half of the
    lines and asked about the other, so that no meaning is in both.

    Args:
        encode: (texts, language code) -> (n, d) finite embeddings, never called with a blank text.
        texts: lines by language code, line-aligned, of two languages or more. Lines that are blank in one of them, or
            equal to an earlier line of one, are left out of all.
        k: hits of each query; of fewer candidates all.
        probe_lines: that the probe learns on, at most.
        seed: of the lots.

    Returns:
        Scores of each language; the headline is the mean excess.

    Raises:
        InputError: fewer than two languages, unequal numbers of lines, no line that can be scored, ``k`` or
            ``probe_lines`` < 1, or embeddings of the wrong shape or with NaN.

    References:
        Roy et al. 2020, ACL 2020.emnlp-main.477 (LAReQA: language bias in a mixed pool).
    """
    if k < 1 or probe_lines < 1:
        raise InputError(f"expected k and probe_lines of at least 1, got {k} and {probe_lines}")
    total = check_aligned(texts)
    if len(texts) < 2:
        raise InputError(f"language bias needs at least two languages, got {', '.join(texts)}")
    lines = scored_lines(texts)
    sides = []
    for code, of in texts.items():
        sides.append(embed(encode, [of[line] for line in lines], code).embeddings)
        logger.info("bias %d/%d: %s", len(sides), len(texts), code)
    widths = sorted({side.shape[1] for side in sides})
    if len(widths) > 1:
        raise InputError(f"the encoder returned {' and '.join(map(str, widths))} dimensions; expected the same")
    vectors = np.stack(sides)  # (L, n, d)
    same, relevant, hits = _hits(vectors, k, seed)
    excess = (same - (hits - relevant) / len(texts)) / hits
    known = _identity(vectors, probe_lines, seed)
    scores = [
        BiasScore(
            code, len(lines), total - len(lines), float(excess[i].mean()), float(same[i].mean() / hits),
            float(relevant[i].mean() / min(hits, len(texts) - 1)), None if known is None else known[i], 1 / len(texts),
            tuple(line + 1 for line in lines), tuple(excess[i].round(6).tolist()),
        ) for i, code in enumerate(texts)
    ]  # fmt: skip
    return Result(tuple(scores), tuple(score.excess for score in scores), Collection(k=k, probe_lines=probe_lines))


def scored_lines(texts: Mapping[str, Sequence[str]]) -> list[int]:
    """Lines that are filled in every language, and new in each.

    Raises:
        InputError: there is none.
    """
    seen: set[tuple[str, str]] = set()
    kept = []
    for number, line in enumerate(zip(*texts.values(), strict=True)):
        keys = {(code, text.strip()) for code, text in zip(texts, line, strict=True)}
        if all(text for _, text in keys) and not keys & seen:
            kept.append(number)
        seen |= keys
    if not kept:
        raise InputError(f"no line is filled in each of {', '.join(texts)}: expected line-aligned texts")
    return kept


def _hits(vectors: NDArray[np.float32], k: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Of the hits of each text, (L, n), how many are in its language and how many of its line; and of how many."""
    languages, n, d = vectors.shape
    order = np.random.default_rng(seed).permutation(languages * n)  # equally near rows come in this order
    pool = vectors.reshape(-1, d)[order]
    hits = min(k, len(pool) - 1)
    found = top_k(pool, pool, hits + 1)[1]
    own = found == np.arange(len(pool))[:, None]
    own[~own.any(axis=1), -1] = True  # a text that has so many copies that it is not among them: the last makes room
    nearest = order[found[~own].reshape(len(pool), hits)]
    same, relevant = np.empty(len(pool), np.int64), np.empty(len(pool), np.int64)
    same[order] = (nearest // n == order[:, None] // n).sum(axis=1)
    relevant[order] = (nearest % n == order[:, None] % n).sum(axis=1)
    return same.reshape(languages, n), relevant.reshape(languages, n), hits


def _identity(vectors: NDArray[np.float32], most: int, seed: int) -> list[float] | None:
    """Of each language the share of held-out lines that the probe knows to be of it; ``None``: nothing to hold out."""
    return None if vectors.shape[1] < 2 else [float(one.mean()) for one in told_languages(vectors, most, seed)[1]]


def told_languages(
    vectors: NDArray[np.float32], most: int, seed: int
) -> tuple[list[int], NDArray[np.bool_]]:  # fmt: skip
    """Whether a linear probe, learnt on one half of the lines, tells the language of each vector of the other half.

    Args:
        vectors: (L, n, d), line i of each of L languages; n >= 2.
        most: lines of either half, at most.
        seed: of the halves.

    Returns:
        The places of the lines that are asked about, and (L, lines) whether it does.
    """
    languages, n, d = vectors.shape
    learnt, asked = (half[:most] for half in split_lines(n, seed=seed))
    classes = np.repeat(np.arange(languages), len(learnt))
    probe = fit_logistic(vectors[:, learnt].reshape(-1, d), classes, count=languages, penalty=PENALTY)
    return asked, np.stack([probe.predict(of[asked]) == number for number, of in enumerate(vectors)])


def _read(source: str | Path, languages: Sequence[str] | None, protocol: Collection) -> Iterator[Unit]:
    for texts in read_sets(source, languages=languages):
        yield Unit("-".join(texts) if len(texts) < 3 else "all", lambda texts=texts: texts)  # type: ignore[misc]


def _rows(encode: Encode, unit: Unit, texts: Texts, protocol: Collection) -> list[Row]:
    found = language_bias(encode, texts, k=protocol.k, probe_lines=protocol.probe_lines)
    return [
        row(
            score.language if unit.name == "all" else f"{unit.name} {score.language}", score.language, score.language,
            "", score.items, score.lines, left_out=score.left_out,
            metrics={name: getattr(score, name) for name in ("excess", "same", "relevant", "identity", "chance")},
        ) for score in found.scores
    ]  # fmt: skip


TASK = Task(
    "bias", "in a mixed collection, are hits in the query's language that need not be?", _read, _rows,
    lambda texts: texts.items(), {"mixed": Collection()}, "mixed", higher_is_better=False,
)  # fmt: skip
