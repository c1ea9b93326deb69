"""Parallel or not (PSI): a classifier tells, of two texts in one sequence, whether they are translations."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from align.objectives.checks import fit
from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, PlainOptions, Sizes


def parallel_or_not(vectors: Tensor, parallel: Tensor, head: Callable[[Tensor], Tensor]) -> Tensor:
    """Cross-entropy of a classifier that reads the vector of two texts in one sequence.

    ::

        L = mean over i of -log softmax(head(v_i))[parallel_i]

    Args:
        vectors: (N, D) of pairs in one sequence: each pair of the batch, and each source with another pair's target.
            The paper reads [CLS]; here it is the vector that the encoder pools. Gradients flow through.
        parallel: (N,) 1 for a pair, 0 for what was put together.
        head: maps (N, D) to (N, 2) logits; trained along, and left behind afterwards.

    Returns:
        () mean loss in nats; log(2) when the logits are equal.

    Raises:
        ValueError: the shapes disagree or there is no row.

    References:
        Dou and Neubig 2021, arXiv:2101.08231, eq. 5 (parallel sentence identification).
    """
    right = vectors.dim() == 2 and parallel.shape == vectors.shape[:1] and len(vectors) > 0
    fit(right, "parallel_or_not needs (N, D) and (N,), N >= 1", vectors, parallel)
    return cross_entropy(head(vectors), parallel)


def _value(inputs: Inputs, options: PlainOptions, learned: nn.Module) -> Tensor:
    vectors, parallel = inputs.own("crossed")
    return parallel_or_not(vectors, parallel, learned)


def _classifier(options: PlainOptions, sizes: Sizes) -> nn.Module:
    return nn.Linear(sizes.width, 2)


OBJECTIVE = Objective("parallel_or_not", parallel_or_not, PlainOptions, ("crossed",), _value, _classifier)
