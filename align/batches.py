"""From row numbers to the tensors of one training step."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from align.encoder import Encoder
from align.objectives import mask_tokens
from align.store import PairStore


class Batches(Dataset[dict[str, Tensor]]):
    """Maps (number, rows), a key of :class:`align.sampling.BatchStream`, to the tensors of that batch.

    Masks are drawn from (seed, number, first row), so the batch is the same whenever and wherever it is made.

    Args:
        store: tokenised pairs.
        encoder: gives the ids of padding, mask and special tokens.
        mask_rate: share of tokens to mask; 0: none.
        seed: of the masks.
        anchors: (n, D) starting vectors of the sources, or None.
    """

    def __init__(
        self, store: PairStore, encoder: Encoder, *, mask_rate: float, seed: int, anchors: NDArray[np.float32] | None
    ) -> None:
        self.store, self.mask_rate, self.seed, self.anchors = store, mask_rate, seed, anchors
        self.pad_id = encoder.tokenizer.pad_token_id or 0
        self.mask_id = encoder.tokenizer.mask_token_id
        self.added = torch.tensor(encoder.added_ids)
        self.vocabulary = int(encoder.model.config.vocab_size)

    def __getitem__(self, key: tuple[int, NDArray[np.int64]]) -> dict[str, Tensor]:
        """ids, attention (2B, T): sources, then targets; groups, rows (B,); labels (2B, T) and anchors if used."""
        number, rows = key
        sides = [self.store.source[r] for r in rows] + [self.store.target[r] for r in rows]
        ids = torch.full((len(sides), max(map(len, sides))), self.pad_id)
        attention = torch.zeros_like(ids)
        for i, side in enumerate(sides):
            ids[i, : len(side)] = torch.from_numpy(side)
            attention[i, : len(side)] = 1
        batch = {"ids": ids, "attention": attention, "groups": torch.from_numpy(self.store.groups[rows])}
        batch["rows"] = torch.from_numpy(rows)
        if self.mask_rate:
            generator = torch.Generator().manual_seed(hash((self.seed, number, int(rows[0]))) % 2**63)
            maskable = attention.bool() & ~torch.isin(ids, self.added)
            batch["ids"], batch["labels"] = mask_tokens(
                ids,
                maskable,
                rate=self.mask_rate,
                mask_id=self.mask_id,
                vocabulary=self.vocabulary,
                generator=generator,
            )
        if self.anchors is not None:
            batch["anchors"] = torch.from_numpy(self.anchors[rows])
        return batch
