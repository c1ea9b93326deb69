"""Language identity by layer: how well does a linear probe tell the language of a text from its vector?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from align.errors import InputError
from align.tasks.bias import PENALTY, scored_lines, told_languages
from align.tasks.result import Result
from align.tasks.task import Row, Task, Unit, row
from align.tasks.texts.bitext import Texts, read_sets
from align.tasks.texts.line_checks import check_aligned


@dataclass(frozen=True)
class IdentityScore:
    """The held-out lines of one language."""

    language: str
    """Its code."""
    n: int
    """Lines that the probe is asked about."""
    curve: tuple[float, ...]
    """At each layer, the share of them of which it tells the language."""
    lines: tuple[int, ...] = field(repr=False)
    """Number (from 1) of each."""
    items: tuple[int, ...] = field(repr=False)
    """At the last layer, whether it does of each."""


@dataclass(frozen=True)
class Probe:
    """How language identity is scored."""

    name: str = "probe"
    headline: str = "identity"
    lines: int = 200
    """That the probe learns on, at most, and as many that it is asked about."""

    def describe(self) -> str:
        """One line for the head of a table."""
        return (
            f"language identity: a logistic probe (standardised vectors, L2 penalty {PENALTY:g}) of {self.lines} lines "
            "of each language on as many others, the same lines in all, at every layer; the score is that of the last"
        )


def language_identity(
    encode: Callable[[Sequence[str], str], ArrayLike],
    texts: Mapping[str, Sequence[str]],
    *,
    lines: int = 200,
    seed: int = 0,
) -> Result[IdentityScore]:
    """At every layer, how often a linear probe tells the language of a vector, learnt on other lines.

    Lines that are blank in a language, or equal to an earlier one, are left out of all; the others are halved at
    random, the same at every layer, so that no meaning is in both halves. 1 / L is chance.

    Args:
        encode: (texts, language code) -> (layers, n, d) finite embeddings, such as
            :func:`align.encoders.layers.encode_layers` gives.
        texts: lines by language code, line-aligned, of two languages or more.
        lines: of either half, at most.
        seed: of the halves.

    Returns:
        Scores of each language; the headline is the mean of those at the last layer.

    Raises:
        InputError: fewer than two languages, unequal numbers of lines, fewer than two lines that can be scored,
            ``lines`` < 1, or embeddings of another shape.
    """
    check_aligned(texts)
    kept = scored_lines(texts)
    if len(texts) < 2 or len(kept) < 2 or lines < 1:
        got = f"{len(texts)}, {len(kept)} and {lines}"
        raise InputError(f"language identity needs two languages, two lines and lines >= 1, got {got}")
    sides = [np.asarray(encode([of[i] for i in kept], code), dtype=np.float32) for code, of in texts.items()]
    shapes = {side.shape for side in sides}
    if len(shapes) > 1 or sides[0].ndim != 3 or sides[0].shape[1] != len(kept):
        raise InputError(f"expected embeddings (layers, {len(kept)}, d) of every language, got {sorted(shapes)}")
    told = [told_languages(np.stack(layer), lines, seed) for layer in zip(*sides, strict=True)]
    numbers = tuple(kept[place] + 1 for place in told[0][0])
    scores = [
        IdentityScore(
            code, len(numbers), tuple(float(right[i].mean()) for _, right in told), numbers,
            tuple(told[-1][1][i].astype(int).tolist()),
        ) for i, code in enumerate(texts)
    ]  # fmt: skip
    return Result(tuple(scores), tuple(score.curve[-1] for score in scores), Probe(lines=lines))


def _read(source: str | Path, languages: Sequence[str] | None, protocol: Probe) -> Iterator[Unit]:
    for texts in read_sets(source, languages=languages):
        yield Unit("-".join(texts) if len(texts) < 3 else "all", lambda texts=texts: texts)  # type: ignore[misc]


def _rows(
    encode: Callable[[Sequence[str], str], ArrayLike], unit: Unit, texts: Texts, protocol: Probe
) -> list[Row]:  # fmt: skip
    found = language_identity(encode, texts, lines=protocol.lines)
    return [
        row(
            score.language if unit.name == "all" else f"{unit.name} {score.language}", score.language, score.language,
            "", score.items, score.lines, metrics={"identity": score.curve[-1], "chance": 1 / len(texts)},
            curve=list(score.curve),
        ) for score in found.scores
    ]  # fmt: skip


TASK = Task(
    "identity", "at which layers does a vector tell the language of its text?", _read, _rows,
    lambda texts: texts.items(), {"probe": Probe()}, "probe", higher_is_better=False, inputs="layers",
    chance=lambda row, protocol: row["metrics"]["chance"],
)  # fmt: skip
