"""Classification on frozen embeddings: what is learned in one language, does it hold in the others?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError, there_are
from align.tasks.embedding import Encode, embed
from align.tasks.measures.logistic import Logistic, fit_logistic
from align.tasks.measures.nearest import nearest_class
from align.tasks.result import Result
from align.tasks.task import Row, Task, Unit, row
from align.tasks.texts.labelled import SPLITS, LabelledTexts, read_classification

logger = logging.getLogger(__name__)

_Rows = NDArray[np.int64]
_Probe = Callable[[NDArray[np.float32]], NDArray[np.int64]]

PENALTIES = (10.0, 1.0, 0.1, 0.01, 0.001)
"""Of the logistic probe, tried on the dev split; of equally good ones the first, the strongest, is taken."""
PENALTY = 0.01
"""Of the logistic probe where there is no dev split."""
PROBES = ("knn", "logistic")


@dataclass(frozen=True)
class ClassificationScore:
    """Accuracy on the test split of one language."""

    language: str
    """Its code."""
    n: int
    """Lines scored."""
    left_out: int
    """Lines of the test split that are blank."""
    accuracy: Mapping[str, float]
    """By probe (``knn``, ``logistic``), 0 to 1."""
    commonest: float
    """Accuracy of always saying the commonest class of the training lines: what a probe must beat."""
    lines: tuple[int, ...] | None = field(default=None, repr=False)
    """Number (from 1) of each line scored; kept by choice."""
    predictions: Mapping[str, tuple[str, ...]] | None = field(default=None, repr=False)
    """By probe the class predicted for each of ``lines``; kept by choice."""


@dataclass(frozen=True)
class Probing:
    """How classification is scored."""

    name: str = "probes"
    headline: str = "logistic"
    """``logistic`` or ``knn``: the probe whose accuracy is the number to quote."""
    train: str = "eng_Latn"
    """Language to learn from."""
    k: int = 5
    """Neighbours that vote."""
    penalty: float | None = None
    """L2, of the logistic probe; ``None``: the best on the dev split, or ``PENALTY`` where there is none."""

    def __post_init__(self) -> None:
        """Refuse a probe that does not exist."""
        if self.headline not in PROBES:
            raise InputError(f"protocol {self.name}: headline is {self.headline!r}; expected {' or '.join(PROBES)}")

    def describe(self) -> str:
        """One line for the head of a table."""
        penalty = "best on the dev split" if self.penalty is None else f"{self.penalty:g}"
        return (
            f"classification, learnt in {self.train}: kNN: {self.k} nearest by cosine, most votes, then the larger sum "
            f"of cosines; logistic: standardised vectors, L2 penalty {penalty}; headline {self.headline} accuracy"
        )


def classification(
    encode: Encode,
    data: LabelledTexts,
    *,
    train: str = "eng_Latn",
    k: int = 5,
    penalty: float | None = None,
    per_item: bool = False,
) -> Result[ClassificationScore]:
    """Accuracy of two probes that learn on the train split of one language, on the test split of every language.

    kNN: the class of most of the ``k`` nearest training lines by cosine (ties: see ``nearest_class``). Logistic:
    multinomial logistic regression with an L2 penalty (see ``fit_logistic``) on the vectors as the encoder gives them,
    standardised by those it learns from. Blank lines are left out and counted. A class that the training lines lack is
    never predicted, so its test lines count as errors. Each language is encoded once.

    Args:
        encode: (texts, language code) -> (n, d) finite embeddings, never called with a blank text.
        data: lines, classes and splits (see ``read_classification``).
        train: language to learn from; its own test split is scored too.
        k: neighbours; of fewer training lines all vote.
        penalty: of the logistic probe, > 0; ``None``: the one of ``PENALTIES`` with the best accuracy on the dev split
            of the training language, or ``PENALTY`` where there is none.
        per_item: keep the class predicted for every test line.

    Returns:
        Accuracy per language and probe.

    Raises:
        InputError: an option outside its range, no text in ``train``, fewer than two classes to learn, a language
            without a test line, or embeddings of the wrong shape or with NaN.

    References:
        Adelani et al. 2024, SIB-200, arXiv:2309.07445; Alain and Bengio 2016, arXiv:1610.01644 (linear probes).
    """
    if k < 1 or not (penalty is None or 0 < penalty < np.inf):
        raise InputError(f"expected k of at least 1 and a penalty above 0, got {k} and {penalty}")
    lines = _lines(data, train)
    train_vectors = _vectors(encode, data, train, lines, SPLITS)
    probes, used = _learn(train_vectors, lines, train, k, penalty)
    scores = []
    for code in [train, *(code for code in data.texts if code != train)]:
        vectors = train_vectors if code == train else _vectors(encode, data, code, lines, ("test",))
        if vectors.shape[1] != train_vectors.shape[1]:
            widths = f"{train_vectors.shape[1]} and {vectors.shape[1]} dimensions"
            raise InputError(f"{train} and {code}: the encoder returned {widths}; expected the same")
        scores.append(_score(code, vectors, probes, lines, train, per_item))
        found = ", ".join(f"{name} {value:.3f}" for name, value in scores[-1].accuracy.items())
        logger.info("classification %d/%d: %s, %s", len(scores), len(data.texts), code, found)
    facts = {
        "classes": tuple(lines.names), "training_lines": len(lines.rows[train, "train"]),
        "dev_lines": len(lines.rows[train, "dev"]), "penalty": used,
    }  # fmt: skip
    values = tuple(score.accuracy["logistic"] for score in scores)
    return Result(tuple(scores), values, Probing(train=train, k=k, penalty=penalty), facts)


@dataclass(frozen=True)
class _Lines:
    names: list[str]  # classes, in alphabetical order
    classes: _Rows  # (lines,) index into names
    rows: Mapping[tuple[str, str], _Rows]  # by language and split: the lines that are not blank
    test: int  # lines of the test split, with blank ones


def _lines(data: LabelledTexts, train: str) -> _Lines:
    if train not in data.texts:
        raise InputError(f"no text in {train} to learn from; available: {there_are(train, sorted(data.texts))}")
    names, classes = np.unique(np.array(data.classes), return_inverse=True)
    split = np.array(data.splits)
    rows: dict[tuple[str, str], _Rows] = {}
    for code, texts in data.texts.items():
        filled = np.array([bool(line.strip()) for line in texts])
        rows |= {(code, name): np.flatnonzero(filled & (split == name)) for name in SPLITS}
        if not len(rows[code, "test"]):
            raise InputError(f"{code} has no line in the test split: there is nothing to score")
    known = np.unique(classes[rows[train, "train"]])
    if len(known) < 2:
        raise InputError(f"the train split of {train} has {len(known)} classes: expected at least two to tell apart")
    return _Lines(names.tolist(), classes.astype(np.int64), rows, int((split == "test").sum()))


def _vectors(
    encode: Encode, data: LabelledTexts, code: str, lines: _Lines, splits: Sequence[str]
) -> NDArray[np.float32]:
    """(lines, d) embeddings; zeros where a line is blank or of another split."""
    wanted = set(np.concatenate([lines.rows[code, split] for split in splits]).tolist())
    return embed(encode, [line if i in wanted else "" for i, line in enumerate(data.texts[code])], code).embeddings


def _learn(
    train_vectors: NDArray[np.float32], lines: _Lines, train: str, k: int, penalty: float | None
) -> tuple[dict[str, _Probe], float]:
    """The probes by name, and the penalty of the logistic one."""
    learn, dev = lines.rows[train, "train"], lines.rows[train, "dev"]
    known, classes = train_vectors[learn], lines.classes[learn]
    tried = (penalty,) if penalty else PENALTIES if len(dev) else (PENALTY,)
    fits: list[Logistic] = []
    for value in tried:
        start = fits[-1] if fits else None
        fits.append(fit_logistic(known, classes, count=len(lines.names), penalty=value, start=start))
    right = [int((fit.predict(train_vectors[dev]) == lines.classes[dev]).sum()) for fit in fits]
    best = int(np.argmax(right))
    for value, hits in zip(tried, right, strict=True):
        if len(tried) > 1:
            logger.info("classification: penalty %g, %d of %d lines right in the dev split", value, hits, len(dev))
    probes: dict[str, _Probe] = {
        "knn": lambda vectors: nearest_class(vectors, known, classes, k=k),
        "logistic": fits[best].predict,
    }
    return probes, tried[best]


def _score(
    code: str, vectors: NDArray[np.float32], probes: Mapping[str, _Probe], lines: _Lines, train: str, per_item: bool
) -> ClassificationScore:
    test = lines.rows[code, "test"]
    truth = lines.classes[test]
    found = {name: predict(vectors[test]) for name, predict in probes.items()}
    commonest = np.bincount(lines.classes[lines.rows[train, "train"]]).argmax()
    predictions = {name: tuple(lines.names[i] for i in classes) for name, classes in found.items()}
    return ClassificationScore(
        code,
        n=len(test),
        left_out=lines.test - len(test),
        accuracy={name: float((classes == truth).mean()) for name, classes in found.items()},
        commonest=float((truth == commonest).mean()),
        lines=tuple((test + 1).tolist()) if per_item else None,
        predictions=predictions if per_item else None,
    )


def _read(source: str | Path, languages: Sequence[str] | None, protocol: Probing) -> Iterator[Unit]:
    codes = None if languages is None else list(dict.fromkeys([protocol.train, *languages]))
    yield Unit("classes", partial(read_classification, source, languages=codes))


def _scored(encode: Encode, unit: Unit, data: LabelledTexts, protocol: Probing) -> list[Row]:
    found = classification(encode, data, train=protocol.train, k=protocol.k, penalty=protocol.penalty, per_item=True)
    facts = {**found.facts, "classes": len(found.facts["classes"])}
    return [
        row(
            score.language, score.language, protocol.train, "train" if score.language == protocol.train else "transfer",
            [int(said == data.classes[line - 1]) for line, said in
             zip(score.lines or (), (score.predictions or {})[protocol.headline], strict=True)],
            list(score.lines or ()), left_out=score.left_out,
            metrics={**score.accuracy, "commonest": score.commonest}, facts=facts,
        )
        for score in found.scores
    ]  # fmt: skip


TASK = Task(
    "classification", "does what is learned in one language hold in others?", _read, _scored,
    lambda data: data.texts.items(), {"probes": Probing()}, "probes",
    chance=lambda row, protocol: row["metrics"]["commonest"],
)  # fmt: skip
