"""A task at every layer: the curve of each language, and the layer that a dev split chooses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from align.errors import InputError

Curves = Mapping[str, tuple[float, ...]]
"""Score at each layer, by language (or set, or pair of languages)."""


def layers_object(
    metric: str, layers: Sequence[int], dev: Curves, test: Curves, chosen_on: str, *, higher_is_better: bool = True
) -> dict[str, Any]:
    """The ``layers`` of a result file: a layer chosen on dev curves, its score read from the test curves.

    ``best`` is the layer of the highest mean dev score, of equal ones the lowest; ``score`` the mean test score there,
    the number to quote; ``mean`` and ``curves`` are of the test part, the others for information.

    Args:
        metric: what the curves are of, such as ``P@1``.
        layers: (L',) k of hidden_states[k], in the order of the curves.
        dev: curves on what the layer is chosen on.
        test: curves on what it is scored on.
        chosen_on: what that dev part is, in words.
        higher_is_better: whether the best layer is that of the highest score; else of the lowest.

    Raises:
        InputError: no curve of a part, or one of another length.
    """
    for part, curves in (("dev", dev), ("test", test)):
        if not curves:
            raise InputError(f"no {part} curve was given: the layer is chosen on dev and scored on test")
        for name, curve in curves.items():
            if len(curve) != len(layers):
                raise InputError(f"the {part} curve of {name} has {len(curve)} scores for {len(layers)} layers")
    place, mean = best_layer([s if higher_is_better else -s for s in mean_curve(dev)]), mean_curve(test)
    return {
        "metric": metric, "best": layers[place], "chosen_on": chosen_on, "mean": mean,
        "curves": {name: list(curve) for name, curve in test.items()}, "layers": list(layers), "score": mean[place],
        "dev": {"mean": mean_curve(dev), "curves": {name: list(curve) for name, curve in dev.items()}},
    }  # fmt: skip


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
