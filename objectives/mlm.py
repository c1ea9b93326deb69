"""Masked language modelling with the head on masked positions only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from torch import Tensor
from torch.nn.functional import cross_entropy

from align.objectives.inputs import Inputs
from align.objectives.objective import Objective, Terms
from align.objectives.ranges import AT_LEAST_0, SHARE_NOT_0
from align.objectives.vocabulary import linear_cross_entropy

IGNORED = -100  # label of a position that is not predicted


@dataclass(frozen=True)
class MlmOptions:
    """Masked language modelling on both sides; the contrastive views are then the masked texts."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of each side's mean loss in the sum; 0: reported, not trained."""
    rate: Annotated[float, SHARE_NOT_0] = 0.15
    """Share of tokens to predict."""


class Head(NamedTuple):
    """A masked-LM head in two steps: logits = transform(h) @ weight.T + bias."""

    transform: Callable[[Tensor], Tensor]
    """Maps (P, D) hidden states to (P, D') ones."""
    weight: Tensor
    """(V, D') output embeddings, often tied to the input embeddings."""
    bias: Tensor | None = None
    """(V,)."""


def mlm(
    hidden: Tensor, labels: Tensor, head: Head | Callable[[Tensor], Tensor], *, count: Tensor | float | None = None
) -> Tensor:
    """Cross-entropy of the true piece at each masked position; the head never sees the others.

    With P the positions where labels != -100::

        L = 1/count * sum over p in P of  -log softmax(head(hidden_p))[labels_p]

    Applying the head to all positions would cost more than the encoder itself: for a vocabulary of 250,000 it is
    2.3 times a base-size encoder's forward pass, and 128 MB of logits per 128-token sentence. Of a :class:`Head` the
    logits of the masked positions are never held at once either: see :func:`.vocabulary.linear_cross_entropy`.

    Args:
        hidden: (..., D) last hidden states, such as (B, T, D), or (P, D) of packed texts. Gradients flow through.
        labels: (...) integer pieces, -100 where nothing is predicted.
        head: maps (P, D) to (P, V) logits; a :class:`Head` or any function.
        count: what to divide by; None means len(P). Several processes pass (masked positions of all) / (processes).

    Returns:
        () mean loss in nats; 0, with zero gradients, when no position is masked.

    Raises:
        ValueError: the shapes disagree.

    References:
        Devlin et al. 2019, arXiv:1810.04805, section 3.1.
    """
    if hidden.dim() < 2 or hidden.shape[:-1] != labels.shape:
        shapes = f"{tuple(hidden.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"mlm needs (..., D) hidden states and (...) labels, got {shapes}")
    masked = labels != IGNORED
    return predict(hidden[masked], labels[masked], head, count=count)


def predict(
    states: Tensor, truth: Tensor, head: Head | Callable[[Tensor], Tensor], *, count: Tensor | float | None = None
) -> Tensor:
    """The same from the (P, D) states and the (P,) true pieces of the masked positions alone; see :func:`mlm`."""
    if isinstance(head, Head):
        total = linear_cross_entropy(head.transform(states), head.weight, head.bias, truth)
    elif truth.numel():
        total = cross_entropy(head(states), truth, reduction="sum")
    else:
        total = head(states).sum()
    if truth.numel() == 0:
        # A mean over nothing is NaN. The head ran on no row, so that its parameters still get a (zero) gradient.
        return total + 0.0 * states.sum()
    return total / (truth.numel() if count is None else count)


@dataclass(frozen=True)
class Masked:
    """The masked positions of some texts, as a masked-LM objective reads them."""

    states: Tensor
    """(P, D) last states."""
    truth: Tensor
    """(P,) true pieces."""
    head: Head
    """Of the model."""
    count: Tensor
    """() what their sum is divided by: the mean of P over the forward passes of a step, in all processes."""

    def loss(self) -> Tensor:
        """() see :func:`mlm`."""
        return predict(self.states, self.truth, self.head, count=self.count)


def _value(inputs: Inputs, options: MlmOptions, learned: None) -> Terms:
    masked: Mapping[str, Masked] = inputs.own("masked")
    return {f"mlm_{side}": (options.weight, part.loss()) for side, part in masked.items()}


OBJECTIVE = Objective("mlm", mlm, MlmOptions, ("source", "target", "masked"), _value)
