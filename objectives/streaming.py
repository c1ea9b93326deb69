"""Softmax contrasts whose memory grows with the batch, not with its square: similarities by blocks of anchors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from align.objectives.checks import NEVER, working
from align.objectives.similarity_blocks import Blocks, Contrast, Side
from align.objectives.solved import solved

TILE = 2**22  # similarities held at once unless the caller says how many rows
FEWEST = 32  # rows of a block: fewer make slow matrix products


def stream(
    matrices: Sequence[Tensor],
    contrasts: Sequence[Contrast],
    *,
    temperature: float | Tensor,
    cosine: bool,
    block: int | None = None,
) -> Tensor:
    """Mean over contrasts of the mean negative log-softmax of the gold candidates; no (A, M) matrix is made.

    With unit rows (if ``cosine``), S = left @ right.T / temperature on a block of anchors, p = softmax of its rows and
    e_i the gold candidate::

        L    = mean over i of  log(sum over j of exp S_ij) - S_i,e_i
        dS   = (p - 1[j = e_i]) / A             dleft = dS @ right / temperature
        dT   = -sum(dS * S) / temperature       dright = dS.T @ left / temperature

    A block sees its whole rows, so value and gradients take three matrix products in one pass. A mutual contrast also
    needs the columns' sums over all blocks: one pass collects them, a second makes the gradients (four products; two
    contrasts of one direction would take six). Gradients are made in the forward pass and scaled in the backward pass;
    they have no gradients of their own.

    Memory beyond the inputs, in numbers: (N + M) D for the gradients; block x M for a block of similarities, twice that
    if mutual, and as many bytes for its mask; 2**22 for a part of the candidates in float32. With N = M = 65,536,
    D = 768 in float32 that is 4 bytes x (2 x 50.3 + 2 x 4.2 + 4.2 million) = 0.45 GB. Gradients of half-precision
    vectors are float32 until they are whole; while one is rounded, N D numbers of half precision come on top.

    Args:
        matrices: (N, D) vectors each. Gradients flow through.
        contrasts: at least one anchor each.
        temperature: > 0; a one-element tensor if it is learned.
        cosine: compare directions; False takes the raw dot product.
        block: anchors at once, at least 1; None: as many as keep a block near 2**22 similarities, at least 32.

    Returns:
        () mean loss in nats; in float32 at least, also under autocast, which is off inside.
    """
    if not isinstance(temperature, Tensor):
        temperature = torch.as_tensor(temperature, dtype=torch.float64)
    return solved(partial(_solve, contrasts, cosine, block), temperature, *matrices)


def whole(
    matrices: Sequence[Tensor], contrasts: Sequence[Contrast], *, temperature: float | Tensor, cosine: bool
) -> Tensor:
    """The same by the formula: (A, M) matrices of all similarities."""
    losses = []
    with torch.autocast(matrices[0].device.type, enabled=False):
        sides = [working(matrix, cosine) for matrix in matrices]
        for contrast in contrasts:
            gold, margin = contrast.gold[:, None], contrast.false_negatives
            logits = sides[contrast.left][contrast.rows] @ sides[contrast.right].T / temperature  # (A, M)
            similarity = (logits * temperature).detach()
            if contrast.hardness:
                logits = logits + (contrast.hardness * similarity).scatter(1, gold, 0.0)
            if margin is not None:
                logits = logits.masked_fill(similarity > similarity.gather(1, gold) + margin, NEVER)
            columns = torch.arange(logits.shape[1], device=logits.device)
            if contrast.groups is not None:
                same = contrast.groups == contrast.groups[gold]
                logits = logits.masked_fill(same & (columns != gold), NEVER)
            if contrast.itself:
                logits = logits.masked_fill(columns == contrast.rows[:, None], NEVER)
            losses.append(cross_entropy(logits, contrast.gold))
    return torch.stack(losses).mean()


def _solve(
    contrasts: Sequence[Contrast], cosine: bool, block: int | None, tensors: Sequence[Tensor], wanted: Sequence[bool]
) -> tuple[Tensor, list[Tensor | None]]:
    temperature, *matrices = tensors
    with torch.no_grad(), torch.autocast(matrices[0].device.type, enabled=False):
        sides = [Side(matrix, cosine, need, TILE) for matrix, need in zip(matrices, wanted[1:], strict=True)]
        heat = float(temperature)
        share = 1 / sum(1 + contrast.mutual for contrast in contrasts)
        losses, slopes = [], []
        for contrast in contrasts:
            columns = len(sides[contrast.right].matrix)
            height = min(block or max(FEWEST, TILE // columns), len(contrast.rows))
            direction = _mutual if contrast.mutual else _one_way
            blocks = Blocks(contrast, sides[contrast.left], sides[contrast.right], heat, height)
            loss, slope = direction(blocks, share, any(wanted), wanted[0])
            blocks.close()
            losses.append(share * loss)
            slopes.append(slope)
        warmth = torch.stack(slopes).sum().to(temperature).view_as(temperature) if wanted[0] else None
        return torch.stack(losses).sum(), [warmth, *(side.finish() for side in sides)]


# Where a gold candidate wins clearly, 1 - p is summed over the others: a subtraction would leave rounding only.


def _one_way(blocks: Blocks, share: float, learning: bool, heated: bool) -> tuple[Tensor, Tensor]:
    """Mean loss, and its share of the gradient by the temperature."""
    losses, slope, count = [], blocks.tile.new_zeros(()), len(blocks.contrast.rows)
    for index, gold, anchors, scores, own in blocks:
        top = scores.amax(1, keepdim=True)
        others = scores.sub_(top).exp_().scatter_(1, gold, 0.0).sum(1, keepdim=True)
        own.sub_(top)
        losses.append(excess(others, own))
        if learning:
            scores.scatter_(1, gold, -others)  # total * (softmax - 1 at gold); a small factor takes the division
            slope -= blocks.pull(index, anchors, scores, share / count / (others + own.exp_()), heated)
    return torch.cat(losses).mean(), slope / blocks.heat


def _mutual(blocks: Blocks, share: float, learning: bool, heated: bool) -> tuple[Tensor, Tensor]:
    """Sum of the mean losses of both directions, and their share of the gradient by the temperature."""
    count, tile = len(blocks.contrast.rows), blocks.tile
    other = tile.new_empty(blocks.height, count)
    # Not -inf: a block whose entries of a column are all barred would make it -inf - -inf.
    top_column = tile.new_full((count,), torch.finfo(tile.dtype).min)
    others_column = tile.new_zeros(count)
    rows: list[tuple[Tensor, ...]] = []
    for _, gold, _, scores, own in blocks:
        square = scores[:, :count]
        before, top_column = top_column, torch.maximum(top_column, square.amax(0))
        exps = torch.sub(square, top_column, out=other[: len(own)]).exp_().scatter_(1, gold, 0.0)
        others_column = others_column.mul_((before - top_column).exp_()).add_(exps.sum(0))
        top = scores.amax(1, keepdim=True)
        rows.append((top, scores.sub_(top).exp_().scatter_(1, gold, 0.0).sum(1, keepdim=True), own))
    top, others, own = (torch.cat(column).squeeze(1) for column in zip(*rows, strict=True))  # (N,) each
    loss = excess(others, own - top).mean() + excess(others_column, own - top_column).mean()
    slope = tile.new_zeros(())
    if learning:
        total, total_column = others + (own - top).exp_(), others_column + (own - top_column).exp_()
        at_gold = -(others / total + others_column / total_column)
        row, column = total.log_().add_(top), total_column.log_().add_(top_column)
        for index, gold, anchors, scores, _ in blocks:
            exps = torch.sub(scores[:, :count], column, out=other[: len(index)]).exp_()
            scores.sub_(row[index, None]).exp_()[:, :count].add_(exps)  # both softmaxes
            scores.scatter_(1, gold, at_gold[index, None])
            slope -= blocks.pull(index, anchors, scores, share / count, heated)
    return loss, slope / blocks.heat


def excess(others: Tensor, own: Tensor) -> Tensor:
    """log(others + exp own) - own, precise also where it is next to nothing."""
    return softplus(others.log() - own, threshold=40)
