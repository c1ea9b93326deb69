"""Texts to dense and sparse vectors in one pass through the encoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from align.encoders.batching import Input
from align.encoders.lexical.head import head_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from align.encoders.encoder import Encoder

ROWS = 64
"""Texts whose weights are held at once."""


def encode_both(encoder: Encoder, texts: Sequence[str], **how: Any) -> tuple[NDArray[np.float32], csr_array]:
    """The (n, D) vectors of n texts, and their (n, V) lexical vectors as unit rows without what is left out.

    Args:
        encoder: with a masked-LM head.
        texts: n strings.
        how: further arguments of :meth:`align.encoders.encoder.Encoder.encode`, which is what gives the vectors.

    Raises:
        InputError: as there and :func:`align.encoders.lexical.head.head_of`.
    """
    from scipy.sparse import csr_array

    head, numbers = head_of(encoder), count()
    terms = head.numbers.cpu().numpy()
    found: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = [_NOTHING] * len(texts)

    def tokens(part: Sequence[str]) -> list[Input]:
        ids = encoder.tokenize(part, max_tokens=how.get("max_tokens"))
        return [Input(row, place=place) for row, place in zip(ids, numbers, strict=False)]

    def beside(rows: Sequence[Input], ids: Tensor, attention: Tensor, states: Tensor) -> None:
        read = head.read(ids, attention)
        lengths = read.sum(1).tolist()
        for start in range(0, len(rows), ROWS):
            here = slice(start, start + ROWS)
            kept = head.kept(head(states[here][read[here]], lengths[here]).float()).cpu()
            for row, weights in zip(rows[here], kept, strict=True):
                columns = torch.nonzero(weights > 0).squeeze(1).numpy()  # NaN is left to the dense vector
                found[row.place] = terms[columns].astype(np.int32), weights.numpy()[columns]

    vectors = encoder.encode(texts, tokens=tokens, beside=beside, **how)
    ends = np.cumsum([0, *(len(columns) for columns, _ in found)])
    columns, weights = (np.concatenate([one[side] for one in (_NOTHING, *found)]) for side in (0, 1))
    return vectors, csr_array((weights, columns, ends), shape=(len(texts), head.size))


_NOTHING = (np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))
