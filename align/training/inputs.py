"""What the step itself provides of what objectives need, and the columns of the pairs that it is read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from align.encoders.lexical.head import LexicalHead
from align.objectives.inputs import Inputs
from align.objectives.mlm import Head, Masked
from align.training.distributed import gather, total, world
from align.training.gradient_caching import Encoded

SIDES = ("source", "target", "negatives", "rehearsal")
COLUMNS = {"negatives": "negative", "scores": "score", "classes": "label", "classified": "class"}
"""The column of the pairs that a need reads, beside those that every table has."""


def columns(needs: frozenset[str]) -> list[str]:
    """Columns that the pairs must have beside those of every table."""
    return [column for need, column in COLUMNS.items() if need in needs]


def batch_inputs(
    encoded: Encoded | None, sides: Sequence[int], given: Mapping[str, Any], *, plain: bool = False
) -> Inputs:
    """Inputs of the objectives from the vectors of a batch, split by its sides, and all else that it carries.

    If ``plain``, similarity matrices are held whole.
    """
    values = {name: value for name, value in given.items() if value is not None}
    counts = values.pop("negative_counts", None)
    if encoded is not None:
        dtype = encoded.vectors.dtype
        values = {name: _as(value, dtype) for name, value in values.items()}
        values |= dict(zip(SIDES, torch.split(encoded.vectors, list(sides)), strict=True))
    uneven = {} if counts is None else dict.fromkeys(("negatives", "negative_groups"), counts)
    return Inputs(values, gather=gather, rank=world()[0], block=0 if plain else None, counts=uneven)


def _as(value: Any, dtype: torch.dtype) -> Any:
    return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value


def masked_sides(
    states: Tensor, labels: Tensor, masked: Tensor, sides: Sequence[int], head: Head, predicted: Tensor | None
) -> dict[str, Masked]:
    """The masked positions of sources and targets, from the (P, D) states of those of all rows."""
    truth, of_row = labels[masked], masked.sum(1)  # (P,) pieces; (R,) masked positions of each row
    counts = torch.stack([rows.sum() for rows in torch.split(of_row, list(sides))]).tolist()
    parts = zip(SIDES[:2], torch.split(states, counts), torch.split(truth, counts), strict=False)
    return {
        side: masked_positions(read, right, head, None if predicted is None else predicted[i])
        for i, (side, read, right) in enumerate(parts)
    }  # nothing is masked in the others


def either(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """Positions that are true in one of two masks, or None if there is neither."""
    return first | second if first is not None and second is not None else second if first is None else first


def chosen(states: Tensor, mask: Tensor, other: Tensor | None) -> Tensor:
    """Those at ``mask`` of the states at the positions of either mask."""
    return states if other is None else states[mask[mask | other]]


def lexical_sides(states: Tensor, lengths: Sequence[int], sides: Sequence[int], head: LexicalHead) -> dict[str, Tensor]:
    """(B, K) weights of the terms of sources and targets, from the (P, D) states of their tokens that speak."""
    weights = torch.split(head(states, lengths[: sum(sides[:2])]), list(sides[:2]))
    return {f"{side}_terms": of for side, of in zip(SIDES[:2], weights, strict=True)}


def masked_positions(states: Tensor, truth: Tensor, head: Head, count: Tensor | None) -> Masked:
    """Their sum is divided by ``count``, or by the processes' mean of P."""
    if count is None:
        count = total(torch.tensor(float(len(truth)), device=states.device)) / world()[1]
    return Masked(states, truth, head, count)
