"""A task at every layer: the curve of each language, and the layer that a dev split chooses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from align.errors import InputError
from align.tasks.embedding import Encode
from align.tasks.table import Cell, markdown

Curves = Mapping[str, tuple[float, ...]]
"""Score at each layer, by language (or set, or pair of languages)."""


@dataclass(frozen=True)
class LayerResult:
    """Scores of a task at every layer; the layer is chosen on dev curves, its score is read from the test curves."""

    metric: str
    """What the curves are of, such as ``P@1``; higher is better."""
    layers: tuple[int, ...]
    """(L',) k of hidden_states[k], in the order of the curves."""
    dev: Curves
    """Curves on what the layer is chosen on."""
    test: Curves
    """Curves on what it is scored on."""
    chosen_on: str
    """What that dev split is, in words."""

    def __post_init__(self) -> None:
        """Refuse an empty split and curves of another length."""
        for split, curves in (("dev", self.dev), ("test", self.test)):
            if not curves:
                raise InputError(f"no {split} curve was given: the layer is chosen on dev and scored on test")
            for name, curve in curves.items():
                if len(curve) != len(self.layers):
                    raise InputError(
                        f"the {split} curve of {name} has {len(curve)} scores for {len(self.layers)} layers"
                    )

    @property
    def best(self) -> int:
        """The layer of the highest mean dev score; of equal ones the lowest."""
        return self.layers[best_layer(mean_curve(self.dev))]

    @property
    def score(self) -> float:
        """Mean test score at the chosen layer: the number to quote."""
        return mean_curve(self.test)[self.layers.index(self.best)]

    def describe(self) -> str:
        """One line for the head of a table."""
        return (
            f"{self.metric} by layer (hidden_states[k]); layer {self.best} was chosen on {self.chosen_on}; "
            f"test {self.metric} at layer {self.best}: {self.score:.3f}; the other test scores are for information"
        )

    def to_json(self) -> dict[str, Any]:
        """The ``layers`` object of a result file: ``mean`` and ``curves`` are of the test split, ``dev`` chose."""
        return {
            "metric": self.metric,
            "best": self.best,
            "chosen_on": self.chosen_on,
            "mean": mean_curve(self.test),
            "curves": {name: list(curve) for name, curve in self.test.items()},
            "layers": list(self.layers),
            "score": self.score,
            "dev": {
                "mean": mean_curve(self.dev),
                "curves": {name: list(curve) for name, curve in self.dev.items()},
            },
        }

    def table(self) -> str:
        """The choice, then a Markdown table: languages, test mean and dev mean by layer; a star at the chosen one."""
        header = [f"{k}*" if k == self.best else f"{k}" for k in self.layers]
        rows: list[list[Cell]] = [[name, *curve] for name, curve in self.test.items()]
        rows += [["mean (test)", *mean_curve(self.test)], ["mean (dev)", *mean_curve(self.dev)]]
        return "\n\n".join([self.describe(), markdown([f"{self.metric} at layer", *header], rows)])


def layer_sweep(
    at: Callable[[int], Encode], layers: Sequence[int], run: Callable[[Encode], Mapping[str, float]]
) -> dict[str, tuple[float, ...]]:
    """Run a task at each layer.

    Args:
        at: layer -> the ``encode`` function of that layer, such as ``LayerVectors.at``, which encodes each text once.
        layers: k of hidden_states[k].
        run: a task and what is read from its result: encode -> score by language, the same languages at every layer.

    Returns:
        The curve of each language: its scores in the order of ``layers``.

    Raises:
        InputError: the task fails at a layer, or has other languages there.
    """
    found: list[Mapping[str, float]] = []
    for k in layers:
        try:
            found.append(run(at(k)))
        except InputError as error:
            raise InputError(f"layer {k}: {error}") from error
        if list(found[-1]) != list(found[0]):
            raise InputError(f"layer {k} has scores of {list(found[-1])}, layer {layers[0]} of {list(found[0])}")
    return {name: tuple(float(scores[name]) for scores in found) for name in (found[0] if found else ())}


def mean_curve(curves: Curves) -> list[float]:
    """Unweighted mean of the curves at each layer."""
    return [float(np.mean(scores)) for scores in zip(*curves.values(), strict=True)]


def best_layer(curve: Sequence[float]) -> int:
    """Place of the highest score of a dev curve; of equal ones the first, which costs least to compute.

    >>> best_layer([0.1, 0.7, 0.7])
    1

    Raises:
        InputError: no score, or one that is NaN.
    """
    if not len(curve):
        raise InputError("the best layer of no scores was asked for")
    if any(math.isnan(score) for score in curve):
        raise InputError(f"a layer's score is NaN, so none is the best: {list(curve)}")
    return int(np.argmax(curve))


def split_lines(n: int, *, seed: int = 0) -> tuple[list[int], list[int]]:
    """Two random halves of n lines, dev and test, each in ascending order; of an odd n dev has the smaller half.

    Raises:
        InputError: fewer than two lines.
    """
    if n < 2:
        raise InputError(f"a dev and a test half need at least 2 lines, got {n}")
    order = np.random.default_rng(seed).permutation(n)
    return sorted(order[: n // 2].tolist()), sorted(order[n // 2 :].tolist())
