"""What a task that learns from labels is given in place of ``encode``: an encoder that can be tuned on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError

NOT_READ = -1
"""The class of a word that the encoder does not read: cut, or without a piece."""

Classes = NDArray[np.int64]
Predict = Callable[[Sequence[Any]], list[Classes]]
"""Inputs -> for each the (n,) class of each of its words, or the (1,) class of a text."""


@dataclass(frozen=True)
class Examples:
    """Inputs with their labels."""

    inputs: Sequence[Any]
    """Sentences as sequences of words; or texts."""
    labels: Sequence[Classes]
    """For each the (n,) class of each word; or the (1,) class of the text."""


@dataclass(frozen=True)
class Tuning:
    """How an encoder is fine-tuned with a linear layer; AdamW, linear warm-up and decay."""

    epochs: int = 8
    """At most; the best on the dev part is kept."""
    patience: int = 2
    """Epochs without a better score on the dev part after which it ends."""
    batch: int = 16
    """Inputs of a step."""
    rate: float = 5e-5
    """Learning rate of the encoder."""
    head_rate: float = 1e-3
    """Of the linear layer."""
    warmup: float = 0.1
    """Share of the steps of all epochs in which the rates rise."""
    freeze_embeddings: bool = True
    """Leave the word embeddings as they are: pieces that no label was seen of keep their place beside those that were
    seen, and a step costs less."""
    seed: int = 0
    """Of the linear layer, of the order and of dropout."""
    score: Callable[[list[Classes]], float] = field(default=lambda found: 0.0, compare=False)
    """Of the dev part: higher is better."""


@dataclass(frozen=True, kw_only=True)
class TunedProtocol:
    """What a protocol by which encoders are tuned says of that."""

    train: str = "eng_Latn"
    """Language to learn from."""
    seeds: int = 3
    """Runs, whose answers are added up."""
    epochs: int = Tuning.epochs
    patience: int = Tuning.patience
    batch: int = Tuning.batch
    rate: float = Tuning.rate
    head_rate: float = Tuning.head_rate
    freeze_embeddings: bool = Tuning.freeze_embeddings


def tuning_of(protocol: TunedProtocol, seed: int, score: Callable[[list[Classes]], float]) -> Tuning:
    """The options that a protocol has by their names, for the run of one seed."""
    names = {one.name for one in fields(Tuning)} & {one.name for one in fields(protocol)}
    return Tuning(**{name: getattr(protocol, name) for name in names}, seed=seed, score=score)


def check_tuning(protocol: Any) -> None:
    """Refuse numbers out of range in a protocol that has these options, and ``seeds``.

    Raises:
        InputError: names the protocol and the option.
    """
    for name in ("seeds", "epochs", "patience", "batch"):
        if getattr(protocol, name) < 1:
            raise InputError(f"protocol {protocol.name}: expected {name} of at least 1, got {getattr(protocol, name)}")
    if not (protocol.rate >= 0 and protocol.head_rate > 0):
        raise InputError(f"protocol {protocol.name}: expected learning rates above 0")


class Learner(Protocol):
    """An encoder that learns."""

    def word_vectors(self, sentences: Sequence[Sequence[str]]) -> list[tuple[NDArray[np.float32], Classes]]:
        """For each sentence the (r, d) vectors of its words' first pieces, and the (r,) places of these words."""

    def tuned(self, train: Examples, dev: Examples, classes: int, how: Tuning) -> Predict:
        """What a copy of the encoder with a linear layer, tuned on the examples, says of other inputs."""
