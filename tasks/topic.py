"""Classes of texts, by an encoder that is tuned on those of one language: does what it learned hold in the others?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from align.errors import InputError
from align.tasks.learning import Classes, Examples, Learner, TunedProtocol, check_tuning, tuning_of
from align.tasks.task import Row, Task, Unit, row
from align.tasks.texts.labelled import LabelledTexts, read_classification

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TopicTuning(TunedProtocol):
    """How an encoder is tuned on the train split of one language."""

    name: str = "tuned"
    headline: str = "accuracy"

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        check_tuning(self)

    def describe(self) -> str:
        """One line for the head of a table."""
        rows = " but its word embeddings" if self.freeze_embeddings else ""
        return (
            f"topic, learnt in {self.train}: a linear layer on the vectors of texts and the encoder{rows} tuned, "
            f"at most {self.epochs} epochs, the best on the dev split of {self.train}, {self.seeds} seeds together; "
            "headline accuracy"
        )


def topic(learner: Learner, data: LabelledTexts, protocol: TopicTuning) -> list[Row]:
    """Accuracy on the test split of every language, of an encoder tuned on the train split of one.

    Blank lines are left out and counted. Of several seeds, an item is the share of them that are right.

    Args:
        learner: an encoder that learns.
        data: lines, classes and splits; see :func:`align.tasks.texts.labelled.read_classification`.
        protocol: see :class:`TopicTuning`.

    Raises:
        InputError: no text, train or dev lines in the language to learn from, fewer than two classes, or a language
            without a test line.

    References:
        Adelani et al. 2024, SIB-200, arXiv:2309.07445.
    """
    if protocol.train not in data.texts:
        raise InputError(f"no text in {protocol.train} to learn from; available: {', '.join(sorted(data.texts))}")
    rows = {(code, split): _filled(data, code, split) for code in data.texts for split in ("train", "dev", "test")}
    names = sorted({data.classes[i] for i in rows[protocol.train, "train"]})
    if len(names) < 2 or not rows[protocol.train, "dev"]:
        found = f"{len(names)} classes, and {len(rows[protocol.train, 'dev'])} lines in its dev split"
        raise InputError(f"the train split of {protocol.train} has {found}: expected at least 2, and 1")
    numbers = {name: i for i, name in enumerate(names)}

    def part(code: str, split: str) -> Examples:
        chosen = rows[code, split]
        labels = [np.array([numbers.get(data.classes[i], -1)]) for i in chosen]
        return Examples([data.texts[code][i] for i in chosen], labels)

    train, dev = part(protocol.train, "train"), part(protocol.train, "dev")

    def right(found: Sequence[Classes], of: Examples) -> list[bool]:
        return [bool(said[0] == truth[0]) for said, truth in zip(found, of.labels, strict=True)]

    def score(found: list[Classes]) -> float:
        return float(np.mean(right(found, dev)))

    predictors = [
        learner.tuned(train, dev, len(names), tuning_of(protocol, seed, score)) for seed in range(protocol.seeds)
    ]
    learnt = Counter(data.classes[i] for i in rows[protocol.train, "train"])
    commonest = max(names, key=lambda name: learnt[name])  # the first of equals
    made = []
    for code in [protocol.train, *(code for code in data.texts if code != protocol.train)]:
        chosen, test = rows[code, "test"], part(code, "test")
        if not chosen:
            raise InputError(f"{code} has no line in the test split: there is nothing to score")
        of_seeds = np.array([right(predict(test.inputs), test) for predict in predictors], dtype=np.float64)
        made.append(row(
            code, code, protocol.train, "train" if code == protocol.train else "transfer",
            of_seeds.mean(axis=0).tolist(), [i + 1 for i in chosen],
            left_out=sum(split == "test" for split in data.splits) - len(chosen),
            metrics={"accuracy": float(of_seeds.mean())},
            facts={
                "of_seeds": of_seeds.mean(axis=1).tolist(), "training_lines": len(train.inputs),
                "commonest": float(np.mean([data.classes[i] == commonest for i in chosen])),
            },
        ))  # fmt: skip
        logger.info("topic: %s %.3f", code, made[-1]["value"])
    source = made[0]["value"]
    return [one | {"metrics": one["metrics"] | {"gap": source - one["value"]}} for one in made]


def _filled(data: LabelledTexts, code: str, split: str) -> list[int]:
    """Lines of a split that are not blank."""
    lines = zip(data.texts[code], data.splits, strict=True)
    return [i for i, (text, of) in enumerate(lines) if of == split and text.strip()]


def _read(source: str | Path, languages: Sequence[str] | None, protocol: TopicTuning) -> Iterator[Unit]:
    codes = None if languages is None else list(dict.fromkeys([protocol.train, *languages]))
    yield Unit("classes", partial(read_classification, source, languages=codes))


def _scored(learner: Learner, unit: Unit, data: LabelledTexts, protocol: TopicTuning) -> list[Row]:
    return topic(learner, data, protocol)


TASK = Task(
    "topic", "does what an encoder is tuned on in one language hold in others?", _read, _scored,
    lambda data: data.texts.items(), {"tuned": TopicTuning()}, "tuned", inputs="labels",
    chance=lambda row, protocol: row["facts"]["commonest"],
)  # fmt: skip
