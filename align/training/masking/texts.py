"""What masked-LM objectives read: masked texts, and both texts of a pair in one sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from align.encoders.text_model import padded
from align.objectives.mlm import IGNORED


def mask_tokens(
    ids: Tensor, maskable: Tensor, *, rate: float, mask_id: int, vocabulary: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Choose positions at ``rate`` and replace 80 % of them by the mask, 10 % by a random piece, 10 % by nothing.

    Args:
        ids: (B, T) pieces; left as they are.
        maskable: (B, T) bool: False at special tokens and padding.
        rate: share of maskable positions to predict, 0..1.
        mask_id: id of the mask token.
        vocabulary: number of pieces that a random replacement is drawn from.
        generator: source of all randomness.

    Returns:
        (B, T) masked ids and (B, T) labels, -100 where nothing is predicted.

    Raises:
        ValueError: the rate is outside 0..1.

    References:
        Devlin et al. 2019, arXiv:1810.04805, section 3.1.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"mask_tokens needs a rate in 0..1, got {rate}")
    chosen = maskable & (torch.rand(ids.shape, generator=generator) < rate)
    fate = torch.rand(ids.shape, generator=generator)
    random = torch.randint(vocabulary, ids.shape, generator=generator, dtype=ids.dtype)
    masked = torch.where(chosen & (fate < 0.8), mask_id, ids)
    masked = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), random, masked)
    return masked, torch.where(chosen, ids, IGNORED)


class Joint(NamedTuple):
    """One sequence of two texts."""

    ids: list[int]
    """T pieces."""
    types: list[int]
    """T times 0 in the first text, 1 in the second (BERT's token types)."""
    positions: list[int]
    """T positions from 0; with ``restart`` the second text starts at 0 again."""
    lines: list[int]
    """T times the number of the line, of which 2 i and 2 i + 1 are translations: here 0 and 1."""


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
    sides = [0] * len(a) + [1] * len(b)
    return Joint(a + b, sides, positions, sides)


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
    """``ids``, ``attention``, ``types``, ``positions``, ``lines``, each (B, T), filled up to the longest sequence."""
    ids, attention = padded([joint.ids for joint in joints], pad_id)
    types, positions = (padded(rows, 0)[0] for rows in ([j.types for j in joints], [j.positions for j in joints]))
    lines = padded([joint.lines for joint in joints], -1)[0]
    return {"ids": ids, "attention": attention, "types": types, "positions": positions, "lines": lines}


def _cut(ids: list[int], length: int) -> list[int]:
    """At most ``length`` ids, the last one (the end of the text) among them."""
    return ids if len(ids) <= length else [*ids[: length - 1], ids[-1]]
