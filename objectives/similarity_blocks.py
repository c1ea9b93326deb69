"""Similarities of anchors with all their candidates, a block of anchors at a time, and the gradients they lead to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

SHORTEST = 1e-12  # a vector's length in its quotient, as in torch's normalize


class Contrast(NamedTuple):
    """Anchors in one matrix, of which each must pick its own candidate out of all rows of another."""

    left: int
    """Which matrix holds the anchors."""
    rows: Tensor
    """(A,) the anchors among its rows."""
    right: int
    """Which matrix holds the candidates."""
    gold: Tensor
    """(A,) the candidate that belongs to each anchor."""
    groups: Tensor | None = None
    """(M,) meanings of the candidates: those of the gold one's meaning, but it, are no candidates. None: all differ."""
    itself: bool = False
    """The anchor is one of the candidates, and may not pick itself."""
    mutual: bool = False
    """Each gold candidate must pick its anchor too: the anchors are all rows 0..N-1, and gold is the same."""
    false_negatives: float | None = None
    """A candidate whose similarity exceeds the gold one's by more than this is none; not with ``mutual``, whose two
    directions would differ. None: all are."""
    hardness: float = 0.0
    """Times its own similarity, as a constant, is added to the logit of each candidate but the gold one."""


class Side:
    """The rows of a matrix in working precision, made unit ones on the way, and the gradient by these."""

    def __init__(self, matrix: Tensor, cosine: bool, wanted: bool, size: int) -> None:
        self.matrix = matrix
        self.dtype = torch.promote_types(matrix.dtype, torch.float32)
        self.width = max(1, size // max(1, matrix.shape[1])) if cosine or matrix.dtype != self.dtype else len(matrix)
        self.length = (
            torch.cat([self._lengths(part) for part in torch.split(matrix, self.width)]) if cosine else None
        )  # (N, 1)
        self.gradient = torch.zeros_like(matrix, dtype=self.dtype) if wanted else None  # (N, D)
        self.ready = -1  # where the part in the buffer starts
        self.buffer: Tensor | None = None

    def _lengths(self, part: Tensor) -> Tensor:
        lengths: Tensor = part.to(self.dtype).norm(dim=1, keepdim=True)
        return lengths.clamp_(min=SHORTEST)

    def rows(self, index: Tensor) -> Tensor:
        """(n, D) a copy."""
        rows = self.matrix[index].to(self.dtype)
        return rows.div_(self.length[index]) if self.length is not None else rows

    def parts(self) -> Iterator[tuple[slice, Tensor]]:
        """All rows in parts of bounded size, each in the buffer of the one before; a sole part is made once."""
        if self.width >= len(self.matrix) and self.length is None and self.matrix.dtype == self.dtype:
            yield slice(None), self.matrix
            return
        if self.buffer is None:
            self.buffer = self.matrix.new_empty(
                min(self.width, len(self.matrix)), self.matrix.shape[1], dtype=self.dtype
            )
        for start in range(0, len(self.matrix), self.width):
            part = slice(start, start + self.width)
            rows = self.buffer[: len(self.matrix[part])]
            if self.ready != start:
                self.ready = start
                rows.copy_(self.matrix[part])
                if self.length is not None:
                    rows.div_(self.length[part])
            yield part, rows

    def close(self) -> None:
        """Give the buffer back."""
        self.buffer, self.ready = None, -1

    def finish(self) -> Tensor | None:
        """The gradient by the matrix itself: what a unit vector's change along itself would give is taken out."""
        gradient, self.gradient = self.gradient, None
        if gradient is None:
            return None
        if self.length is not None:
            for part, rows in self.parts():
                some, length = gradient[part], self.length[part]
                along = torch.linalg.vecdot(some, rows)[:, None] * (length > SHORTEST)
                some.addcmul_(rows, along, value=-1).div_(length)
            self.close()
        # float16 would lose them before the backward pass has scaled them
        return gradient if self.matrix.dtype == torch.float16 else gradient.to(self.matrix.dtype)


class Blocks:
    """Blocks of anchors with their similarities, in one buffer that every block fills anew."""

    def __init__(self, contrast: Contrast, left: Side, right: Side, heat: float, height: int) -> None:
        self.contrast, self.left, self.right, self.heat, self.height = contrast, left, right, heat, height
        self.tile = torch.empty(height, len(right.matrix), dtype=left.dtype, device=left.matrix.device)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
        """Rows (b,), gold (b, 1), anchors divided by the temperature (b, D), S (b, M) and its gold entries (b, 1)."""
        groups, margin, hardness = self.contrast.groups, self.contrast.false_negatives, self.contrast.hardness
        pieces = zip(
            *(torch.split(each, self.height) for each in (self.contrast.rows, self.contrast.gold)), strict=True
        )
        for index, gold in pieces:
            anchors = self.left.rows(index).div_(self.heat)
            scores = self.tile[: len(index)]
            for part, rows in self.right.parts():
                torch.mm(anchors, rows.T, out=scores[:, part])
            gold = gold[:, None]
            own = scores.gather(1, gold)
            if margin is not None:
                scores.masked_fill_(scores > own + margin / self.heat, float("-inf"))
            if hardness:  # -inf stays; what the slopes mean is made of the vectors, not of these
                scores.mul_(1 + hardness * self.heat).scatter_(1, gold, own)
            if groups is not None:
                scores.masked_fill_(groups == groups[gold], float("-inf")).scatter_(1, gold, own)
            if self.contrast.itself:
                scores.scatter_(1, index[:, None], float("-inf"))
            yield index, gold, anchors, scores, own

    def close(self) -> None:
        """Give the buffers back before gradients are finished."""
        del self.tile
        self.right.close()

    def pull(self, index: Tensor, anchors: Tensor, slopes: Tensor, weight: Tensor | float, heated: bool) -> Tensor:
        """Add what weight * slopes = dL/dS means to the gradients; returns the sum of dL/dS * S if ``heated``."""
        right, weighted = self.right, anchors * weight
        moved = torch.zeros_like(anchors)
        for part, rows in right.parts():
            if heated or self.left.gradient is not None:
                moved.addmm_(slopes[:, part], rows)
            if right.gradient is not None:
                right.gradient[part].addmm_(slopes[:, part].T, weighted)
        if self.left.gradient is not None:
            self.left.gradient.index_add_(0, index, moved * (weight / self.heat))
        return (moved * weighted).sum()
