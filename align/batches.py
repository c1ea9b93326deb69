"""From row numbers to the tensors of one training step."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from align.config import Recipe
from align.encoder import Encoder, padded
from align.objectives import mask_tokens
from align.store import PairStore, Tokens


class Batches(Dataset[dict[str, Tensor]]):
    """Maps (number, rows), a key of :class:`align.sampling.BatchStream`, to the tensors of that batch.

    What is drawn here (masks, bank, rehearsal) comes from a generator of (seed, number, rank), so the batch is the
    same whenever and wherever it is made.

    Args:
        store: tokenised pairs.
        encoder: gives the ids of padding, mask and special tokens.
        recipe: says what the objectives need.
        rank: of this process.
        start: (n, D) starting vectors of the sources, NaN where a row is never drawn; None if not needed.
        rehearsal: rehearsal texts and their starting vectors, or None.
    """

    def __init__(
        self,
        store: PairStore,
        encoder: Encoder,
        recipe: Recipe,
        *,
        rank: int = 0,
        start: NDArray[np.float32] | None = None,
        rehearsal: tuple[Tokens, NDArray[np.float32]] | None = None,
    ) -> None:
        self.store, self.recipe, self.rank, self.start, self.rehearsal = store, recipe, rank, start, rehearsal
        self.pad_id = encoder.tokenizer.pad_token_id or 0
        self.mask_id = encoder.tokenizer.mask_token_id
        self.added = torch.tensor(encoder.added_ids)
        self.vocabulary = int(encoder.model.config.vocab_size)
        self.bank_size = recipe.info_nce.bank if recipe.info_nce else 0
        self.banked = np.flatnonzero(np.isfinite(start[:, 0])) if start is not None else np.empty(0, dtype=np.int64)

    def __getitem__(self, key: tuple[int, NDArray[np.int64]]) -> dict[str, Tensor]:
        """The arguments of :meth:`align.alignment.Alignment.forward`, and ``rows``."""
        number, rows = key
        rng = np.random.default_rng([self.recipe.train.seed, number, self.rank])
        sources = [self.store.source[r] for r in rows] if self.recipe.needs_source else []
        targets = [self.store.target[r] for r in rows]
        kept, batch = self._rehearse(rng)
        texts = [*sources, *targets, *kept]
        batch["ids"], batch["attention"] = padded(texts, self.pad_id)
        batch["sides"] = torch.tensor([len(sources), len(targets), len(kept)])
        batch["groups"], batch["rows"] = torch.from_numpy(self.store.groups[rows]), torch.from_numpy(rows)
        if self.recipe.mlm:
            generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
            maskable = batch["attention"].bool() & ~torch.isin(batch["ids"], self.added)
            maskable[len(sources) + len(targets) :] = False
            batch["ids"], batch["labels"] = mask_tokens(
                batch["ids"], maskable, rate=self.recipe.mlm.rate, mask_id=self.mask_id, vocabulary=self.vocabulary,
                generator=generator,
            )  # fmt: skip
        if self.start is not None:
            batch["start"] = torch.from_numpy(self.start[rows])
            if self.bank_size:
                others = rng.choice(self.banked, size=min(self.bank_size, len(self.banked)), replace=False)
                batch["bank"] = torch.from_numpy(self.start[others])
                batch["bank_groups"] = torch.from_numpy(self.store.groups[others])
        return batch

    def _rehearse(self, rng: np.random.Generator) -> tuple[list[NDArray[np.int32]], dict[str, Tensor]]:
        if self.rehearsal is None or not self.recipe.anchor:
            return [], {}
        tokens, start = self.rehearsal
        chosen = rng.choice(len(tokens), size=min(self.recipe.anchor.rehearsal_size, len(tokens)), replace=False)
        return [tokens[i] for i in chosen], {"rehearsal_start": torch.from_numpy(start[chosen])}
