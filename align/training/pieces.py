"""Which word each piece of a tokenised text belongs to, by the pieces alone: training sees ids, never strings."""

from __future__ import annotations

import torch
from torch import Tensor

from align.encoders.lexical.pieces import ALONE, BEGINS, CONTINUES, SPACE
from align.objectives.word_alignment.piece_states import NO_WORD


def word_numbers(ids: Tensor, real: Tensor, kinds: Tensor) -> Tensor:
    """(R, T) number of the word of each piece, from 0 in each row; ``NO_WORD`` where not ``real``.

    >>> kinds = torch.tensor([BEGINS, CONTINUES, ALONE, SPACE])
    >>> word_numbers(torch.tensor([[0, 1, 2, 1, 3, 2]]), torch.ones(1, 6, dtype=torch.bool), kinds).tolist()
    [[0, 0, 1, 2, 3, 3]]

    Args:
        ids: (R, T) pieces.
        real: (R, T) bool: whether a piece is of the text.
        kinds: (V,) see :func:`align.encoders.lexical.pieces.piece_kinds`.
    """
    kind = kinds[ids].masked_fill(~real, BEGINS)
    before = torch.cat([torch.full_like(kind[:, :1], ALONE), kind[:, :-1]], dim=1)
    before = before.masked_fill(~torch.cat([real[:, :1] & False, real[:, :-1]], dim=1), ALONE)  # the first begins one
    begins = ((kind != CONTINUES) | (before == ALONE)) & (before != SPACE) & real
    return (begins.cumsum(dim=1) - 1).masked_fill(~real, NO_WORD)
