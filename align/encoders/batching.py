"""Texts to vectors, batch by batch: tokenised ahead, sorted by length, written where they belong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from align.encoders.prefetch import ahead
from align.errors import InputError

CHUNK = 16_384  # texts tokenised and sorted together


class Input(NamedTuple):
    """One input of the encoder."""

    ids: Sequence[int]
    """With special tokens."""
    types: Sequence[int] | None = None
    """Of two texts in one sequence: 0 at the first, 1 at the second."""
    counted: Sequence[bool] | None = None
    """The tokens that the vector is pooled from; None: those that the pooling says."""
    place: int = -1
    """Which of the texts it is, for whom it was given; -1: nobody asked."""


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Without dropout while the context lasts; then, also after an error, in the mode it was in."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


@torch.inference_mode()
def encode_batches(
    texts: Sequence[str],
    tokenize: Callable[[Sequence[str]], Sequence[Input]],
    forward: Callable[[Sequence[Input]], Tensor],
    *,
    dimension: int,
    batch_tokens: int,
    out: NDArray[np.floating[Any]] | None = None,
    fixed: bool = False,
    finite: bool = True,
    progress: bool | Callable[[int], object] = False,
) -> NDArray[np.float32]:
    """(n, D) vectors of n texts, in their order; see :meth:`align.encoders.encoder.Encoder.encode`.

    ``forward`` gives (B, D) vectors of a batch, whose (B, T) shape, if ``fixed``, depends on nothing but the length of
    its texts; ``batch_tokens`` bounds B * T.

    Raises:
        InputError: ``out`` has another shape; a vector is NaN or infinite (the sentence names the text).
    """
    shape = (len(texts), dimension)
    result = np.empty(shape, dtype=np.float32) if out is None else out
    if result.shape != shape:
        raise InputError(f"expected an array of shape {shape} to write the vectors to, got {result.shape}")
    chunks = (texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK))
    start = 0
    with tqdm(total=len(texts), unit="text", disable=progress is not True) as bar:
        advance = progress if callable(progress) else bar.update
        several = len(texts) > CHUNK  # a thread is no help to one chunk
        for rows in ahead((tokenize(chunk) for chunk in chunks), depth=int(several)):
            lengths = np.array([len(row.ids) for row in rows])
            vectors: Tensor | None = None  # on the encoder's device, so that a GPU is waited for once a chunk
            cut = ((some, len(some)) for some in budget_batches(lengths, batch_tokens))
            for batch, real in fixed_batches(lengths, batch_tokens) if fixed else cut:
                found = forward([rows[i] for i in batch])[:real].float()
                if vectors is None:
                    vectors = found.new_empty(len(rows), dimension)
                vectors[torch.from_numpy(batch[:real])] = found
                advance(real)
            assert vectors is not None
            whole = vectors.cpu().numpy()
            bad = np.flatnonzero(~np.isfinite(whole).all(axis=1))
            if finite and len(bad):
                text = texts[start + bad[0]]
                raise InputError(f"the encoder gives NaN or infinity for text {start + bad[0]}: {text[:60]!r}")
            result[start : start + len(rows)] = whole
            start += len(rows)
    return result


def fixed_batches(lengths: NDArray[np.int64], budget: int) -> list[tuple[NDArray[np.int64], int]]:
    """Rows of equal length, always as many as the budget holds: the last are filled up with the first of them.

    Sums in a matrix product may be ordered by its shape; with one shape a length, a text always gets the same ones.

    >>> [(rows.tolist(), real) for rows, real in fixed_batches(np.array([2, 3, 2, 2]), 4)]
    [([1], 1), ([0, 2], 2), ([3, 3], 1)]
    """
    made = []
    for length in np.unique(lengths)[::-1].tolist():
        size = max(1, budget // max(1, length))
        rows = np.flatnonzero(lengths == length)
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            made.append((np.append(some, np.full(size - len(some), some[0])), len(some)))
    return made


def budget_batches(lengths: NDArray[np.int64], budget: int) -> list[NDArray[np.int64]]:
    """Rows sorted by length and cut so that (rows) x (longest row) <= budget; a longer row goes alone.

    Args:
        lengths: (n,) tokens per row.
        budget: padded tokens of a batch.

    Returns:
        Index arrays that together hold every row once, longest batch first (so that memory peaks at the start).

    >>> [batch.tolist() for batch in budget_batches(np.array([5, 1, 2, 2]), 6)]
    [[0], [2, 3, 1]]
    """
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        rows = max(1, budget // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + rows])
        start += rows
    return batches
