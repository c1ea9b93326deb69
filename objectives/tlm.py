"""Translation language modelling: masked-LM on a text and its translation (or romanisation) in one sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from align.objectives.inputs import Inputs
from align.objectives.mlm import Masked
from align.objectives.objective import Objective
from align.objectives.ranges import AT_LEAST_0, SHARE_NOT_0


@dataclass(frozen=True)
class TlmOptions:
    """Masked language modelling on both sides of a pair in one sequence, in random order."""

    weight: Annotated[float, AT_LEAST_0] = 1.0
    """Factor of the mean loss in the sum; 0: reported, not trained."""
    rate: Annotated[float, SHARE_NOT_0] = 0.15
    """Share of tokens to predict."""
    restart_positions: bool = False
    """Count positions anew in the second text, and keep its start token."""


class Joint(NamedTuple):
    """One sequence of two texts."""

    ids: list[int]
    """T pieces."""
    types: list[int]
    """T times 0 in the first text, 1 in the second (BERT's token types)."""
    positions: list[int]
    """T positions from 0; with ``restart`` the second text starts at 0 again."""


def join(first: Sequence[int], second: Sequence[int], *, begin: int, max_tokens: int, restart: bool = False) -> Joint:
    """Put two texts, each with its special tokens, into one sequence of at most ``max_tokens``.

    ``<s> a </s>`` and ``<s> b </s>`` give ``<s> a </s> b </s>``: the second start is dropped, as BERT's pairs and the
    code of PPA have it; with ``restart`` it is kept, and positions count anew, so that a piece of b stands where its
    counterpart in a does (XLM). Too long a sequence loses the pieces before the end of whichever text is longer.

    Args:
        first: ids of one text, special tokens at its ends.
        second: ids of the other.
        begin: id of the start token.
        max_tokens: of the whole sequence.
        restart: count positions anew in the second text.

    Raises:
        ValueError: the limit leaves no room for a piece of each text.

    References:
        Conneau and Lample 2019, arXiv:1901.07291, section 3.3; Xhelili et al. 2024 (PPA), arXiv:2406.19759.
    """
    a, b = list(first), list(second)
    if not restart and b and b[0] == begin:
        b = b[1:]
    if max_tokens < 6:
        raise ValueError(f"two texts with their special tokens need at least 6 tokens, got a limit of {max_tokens}")
    keep_b = min(len(b), max(max_tokens // 2, max_tokens - len(a)))
    a, b = _cut(a, max_tokens - keep_b), _cut(b, keep_b)
    positions = [*range(len(a)), *(range(len(b)) if restart else range(len(a), len(a) + len(b)))]
    return Joint(a + b, [0] * len(a) + [1] * len(b), positions)


def join_pairs(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], *, begin: int, max_tokens: int,
    restart: bool = False, generator: torch.Generator,
) -> list[Joint]:  # fmt: skip
    """One sequence a pair, in random order of its two sides, so that neither always leads."""
    swapped = torch.rand(len(sources), generator=generator) < 0.5
    return [
        join(*((b, a) if swap else (a, b)), begin=begin, max_tokens=max_tokens, restart=restart)
        for a, b, swap in zip(sources, targets, swapped.tolist(), strict=True)
    ]


def padded_joints(joints: Sequence[Joint], *, pad_id: int) -> dict[str, Tensor]:
    """``ids``, ``attention``, ``types`` and ``positions``, each (B, T), filled up to the longest sequence."""
    length = max(len(joint.ids) for joint in joints)

    def fill(rows: Sequence[list[int]], value: int) -> Tensor:
        return torch.tensor([row + [value] * (length - len(row)) for row in rows])

    return {
        "ids": fill([joint.ids for joint in joints], pad_id),
        "attention": fill([[1] * len(joint.ids) for joint in joints], 0),
        "types": fill([joint.types for joint in joints], 0),
        "positions": fill([joint.positions for joint in joints], 0),
    }


def _cut(ids: list[int], length: int) -> list[int]:
    """At most ``length`` ids, the last one (the end of the text) among them."""
    return ids if len(ids) <= length else [*ids[: length - 1], ids[-1]]


def tlm(joint: Masked) -> Tensor:
    """Cross-entropy of the masked pieces of both texts of a pair in one sequence: each helps to predict the other.

    Args:
        joint: the masked positions of sequences as :func:`join_pairs` makes them.

    Returns:
        () mean loss in nats; see :func:`align.objectives.mlm.mlm`.

    References:
        Conneau and Lample 2019, arXiv:1901.07291, section 3.3.
    """
    return joint.loss()


def _value(inputs: Inputs, options: TlmOptions, learned: None) -> Tensor:
    return tlm(inputs.own("joint"))


OBJECTIVE = Objective("tlm", tlm, TlmOptions, ("joint",), _value)
