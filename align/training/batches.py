"""From row numbers to the tensors of one training step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from align.encoders.blocks import longest_input
from align.encoders.encoder import Encoder
from align.encoders.lexical.pieces import piece_kinds, prompt_pieces
from align.encoders.pooling import after_prompt
from align.encoders.text_model import filled
from align.objectives.mlm import IGNORED
from align.objectives.objective import OF_HEAD
from align.pairs.meanings import linked, same_text
from align.streams import stream
from align.training.distributed import total, world
from align.training.masking.interlinear import choose_lines, document_ends, interlinear
from align.training.masking.switched import mask_switched
from align.training.masking.texts import join, join_pairs, mask_tokens, padded_joints
from align.training.pieces import word_numbers
from align.training.recipe import Recipe
from align.training.store import PairStore
from align.training.tokens import Tokens

Taken = tuple[NDArray[np.int32], NDArray[np.int64]]
"""Ids of some texts, one after the other, and the tokens of each."""
OWN_PASS = frozenset({"joint", "pieces", "crossed", "features"})
"""Needs whose texts go through the encoder by themselves."""
NOTHING: Taken = (np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64))


class Batches(Dataset[dict[str, Any]]):
    """Maps (number, rows), a key of :class:`.sampling.BatchStream`, to the tensors of this process's share.

    This process takes ``rows[rank::world]``. What is drawn here (masks, bank, rehearsal) comes from a stream of (seed,
    number, rank), so the batch is the same whenever and wherever it is made.

    Args:
        store: tokenised pairs.
        encoder: gives the ids of padding, mask and special tokens.
        recipe: says what the objectives need.
        rehearsal: rehearsal texts and their starting vectors, or None.
        frozen: see :func:`.frozen.frozen_vectors`.
    """

    def __init__(
        self,
        store: PairStore,
        encoder: Encoder,
        recipe: Recipe,
        *,
        rank: int = 0,
        world: int = 1,
        rehearsal: tuple[Tokens, NDArray[np.float32]] | None = None,
        **frozen: NDArray[np.float32],
    ) -> None:
        self.store, self.recipe, self.rank, self.world = store, recipe, rank, world
        self.frozen, self.rehearsal = frozen, rehearsal
        self.needs = recipe.needs
        self.pad_id = encoder.tokenizer.pad_token_id or 0
        self.mask_id = encoder.tokenizer.mask_token_id
        self.added = torch.tensor(encoder.added_ids)
        first = encoder.tokenizer.cls_token_id
        self.special_tokens, self.prompt_pooled = encoder.pooling.special_tokens, encoder.prompt_tokens
        self.begin = first if first is not None else -1
        self.joint_tokens = min(2 * recipe.train.max_tokens, longest_input(encoder.model, encoder.tokenizer))
        self.vocabulary = int(getattr(encoder.model.config, "vocab_size", 0))  # of what has a masked-LM head
        if self.needs & {"pieces", "switched"}:
            self.kinds, self.prompt = torch.from_numpy(piece_kinds(encoder)), prompt_pieces(encoder)
        if "joint" in self.needs and recipe.setting("joint", "interlinear"):
            self.ends = document_ends(store)
        if "bank" in self.needs:
            self.bank_size = int(recipe.setting("bank", "bank"))
            self.banked = np.flatnonzero(np.isfinite(frozen["start"][:, 0]))

    def __getitem__(self, key: tuple[int, NDArray[np.int64]]) -> dict[str, Any]:
        """The arguments of :meth:`align.training.step.Alignment.forward`, and ``rows``."""
        number, every = key
        rows = every[self.rank :: self.world]
        rng = stream(self.recipe.train.seed, "batch", number, self.rank)
        store, needs = self.store, self.needs
        keys = store.groups[every]
        meanings = linked(keys)
        batch: dict[str, Any] = {"groups": torch.from_numpy(meanings[self.rank :: self.world])}
        batch["rows"] = torch.from_numpy(rows)
        if needs - OWN_PASS:
            kept, extra = self._rehearse(rng)
            sides = [store.source.take(rows if "source" in needs else rows[:0]), store.target.take(rows)]
            sides += [store.negative.take(store.negatives_of(rows)) if store.negative else NOTHING, kept]
            lengths = np.concatenate([counts for _, counts in sides])
            # Numbers that the host needs stay plain ones: on a GPU each would be waited for.
            batch |= extra | {"sides": [len(counts) for _, counts in sides], "lengths": lengths.tolist()}
            batch["ids"], batch["attention"] = filled(np.concatenate([ids for ids, _ in sides]), lengths, self.pad_id)
            if store.mentions is not None and "source" in needs:
                batch["counted"] = self._counted(batch["ids"], batch["attention"], rows)
            if "switched" in needs:
                batch["ids"], batch["labels"] = self._mask_switched(batch["ids"], batch["attention"], rows, rng)
            if "masked" in needs:
                rate = self.recipe.setting("masked", "rate")
                batch["ids"], batch["labels"] = self._mask(
                    batch["ids"], batch["attention"], rate=rate, rng=rng, rows=sum(batch["sides"][:2])
                )
        if "joint" in needs:
            batch["joint"] = self._join(rows, rng)
        if "features" in needs:
            batch["features"] = self._both(rows)
        if "pieces" in needs:
            batch["pieces"] = self._pieces(rows)
        if "crossed" in needs:
            batch["crossed"] = self._cross(rows, meanings[self.rank :: self.world])
        if store.negative_texts is not None:
            same_meaning = same_text(store.negative_texts[store.negatives_of(rows)], keys[:, 1:], meanings)
            batch["negative_groups"] = torch.from_numpy(same_meaning)
        if store.negative_bounds is not None:
            shares = [every[rank :: self.world] for rank in range(self.world)]
            batch["negative_counts"] = [len(store.negatives_of(share)) for share in shares]
        if not needs.isdisjoint(OF_HEAD):
            batch["predicted"] = predicted(batch)
        if "terms" in needs:
            batch["step"] = number // self.recipe.train.accumulate
        if store.scores is not None:
            batch["scores"] = torch.from_numpy(store.scores[rows]).float()
        if store.labels is not None:
            batch["classes"] = torch.from_numpy(store.labels[rows])
        if store.classes is not None and store.sides is not None:
            batch["classified"], batch["numbers"] = torch.from_numpy(store.classes[rows]), batch["rows"]
            batch["source_languages"], batch["target_languages"] = torch.from_numpy(store.sides[rows]).T.unbind()
        batch |= {name: torch.from_numpy(vectors[rows]) for name, vectors in self.frozen.items()}
        if "bank" in needs:
            others = rng.choice(self.banked, size=min(self.bank_size + len(every), len(self.banked)), replace=False)
            others = others[~np.isin(store.groups[others], keys).any(axis=1)]  # what means the same is no negative
            others = others[: self.bank_size]
            batch["bank"] = torch.from_numpy(self.frozen["start"][others])
        return batch

    def _join(self, rows: NDArray[np.int64], rng: np.random.Generator) -> dict[str, Any]:
        """Both texts of each pair in one masked sequence; of interlinear text those of the pairs behind it, too."""
        options = self.recipe.options_of("joint")
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        begin, limit = self.begin, self.joint_tokens
        if options.interlinear:
            joints = [
                interlinear(self._document(row, rng.random() < 0.5), begin=begin, max_tokens=limit) for row in rows
            ]
        else:
            sources, targets = ([side[row].tolist() for row in rows] for side in (self.store.source, self.store.target))
            joints = join_pairs(
                sources, targets, begin=begin, max_tokens=limit, restart=options.restart_positions, generator=generator
            )  # fmt: skip
        joint: dict[str, Any] = padded_joints(joints, pad_id=self.pad_id)
        joint["lengths"] = [len(one.ids) for one in joints]
        lines, rate = joint.pop("lines"), options.rate
        chosen = choose_lines(lines, rate=rate, generator=generator) if options.whole_lines else None
        joint["ids"], joint["labels"] = self._mask(
            joint["ids"], joint["attention"], rate=rate if chosen is None else 1.0, rng=rng, chosen=chosen
        )
        return joint

    def _document(self, row: int, swap: bool) -> Iterator[tuple[list[int], list[int]]]:
        """The pairs of a document from a row on, the side of the sources first or, swapped, that of the targets."""
        sides = (self.store.source, self.store.target)[:: -1 if swap else 1]
        return ((sides[0][at].tolist(), sides[1][at].tolist()) for at in range(row, self.ends[row]))

    def _both(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        """The sources and below them the targets."""
        sides = [self.store.source.take(rows), self.store.target.take(rows)]
        lengths = np.concatenate([counts for _, counts in sides])
        ids, attention = filled(np.concatenate([ids for ids, _ in sides]), lengths, self.pad_id)
        return {"ids": ids, "attention": attention, "lengths": lengths.tolist()}

    def _pieces(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        """Both sides, and the word of each piece."""
        both = self._both(rows)
        return both | {"words": self._words(both["ids"], both["attention"])}

    def _words(self, ids: Tensor, attention: Tensor) -> Tensor:
        """(R, T) the word of each piece."""
        real = attention.bool() & ~torch.isin(ids, self.added)
        real[:, : self.prompt] = False
        return word_numbers(ids, real, self.kinds)

    def _counted(self, ids: Tensor, attention: Tensor, rows: NDArray[np.int64]) -> Tensor:
        """(R, T) the tokens that vectors are pooled from: those of a source's mention, or what the pooling says."""
        counted = after_prompt(attention, self.prompt_pooled).bool()
        if not self.special_tokens:
            counted &= ~torch.isin(ids, self.added)
        assert self.store.mentions is not None
        for row, (start, end) in enumerate(self.store.mentions[rows].tolist()):
            if end:
                counted[row] = False
                counted[row, start:end] = True
        return counted

    def _mask_switched(
        self, ids: Tensor, attention: Tensor, rows: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Masked ids and labels of the sources, which are the first rows; nothing is masked in others."""
        options = self.recipe.options_of("switched")
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        words, originals = self._words(ids, attention), slice(len(rows), 2 * len(rows))  # the targets come next
        return mask_switched(
            ids, words, ids[originals], words[originals], options, mask_id=self.mask_id,
            vocabulary=self.vocabulary, generator=generator, special=self.added,
        )  # fmt: skip

    def _cross(self, rows: NDArray[np.int64], meanings: NDArray[np.int64]) -> dict[str, Any]:
        """Each source with its target, then each with the next pair's target, where that means something else."""
        sources, targets = ([side[row].tolist() for row in rows] for side in (self.store.source, self.store.target))
        n = len(rows)
        couples = [(i, i) for i in range(n)]
        couples += [(i, (i + 1) % n) for i in range(n) if meanings[i] != meanings[(i + 1) % n]]
        joints = [join(sources[i], targets[j], begin=self.begin, max_tokens=self.joint_tokens) for i, j in couples]
        made: dict[str, Any] = padded_joints(joints, pad_id=self.pad_id)
        del made["lines"]
        made["lengths"] = [len(one.ids) for one in joints]
        return made | {"parallel": torch.tensor([int(i == j) for i, j in couples])}

    def _mask(
        self, ids: Tensor, attention: Tensor, *, rate: float, rng: np.random.Generator, rows: int | None = None,
        chosen: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Masked ids and labels; nothing is masked after the first ``rows`` rows, nor but at ``chosen`` positions."""
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        maskable = attention.bool() & ~torch.isin(ids, self.added)
        maskable[len(ids) if rows is None else rows :] = False
        if chosen is not None:
            maskable &= chosen
        return mask_tokens(
            ids, maskable, rate=rate, mask_id=self.mask_id, vocabulary=self.vocabulary, generator=generator
        )

    def _rehearse(self, rng: np.random.Generator) -> tuple[Taken, dict[str, Tensor]]:
        if self.rehearsal is None or "rehearsal" not in self.needs:
            return NOTHING, {}
        tokens, start = self.rehearsal
        size = self.recipe.setting("rehearsal", "rehearsal_size")
        chosen = rng.choice(len(tokens), size=min(size, len(tokens)), replace=False)
        return tokens.take(chosen), {"rehearsal_start": torch.from_numpy(start[chosen])}


def predicted(batch: Mapping[str, Any]) -> Tensor:
    """(3,) integers: masked positions of the sources, the targets and the joint texts of a batch."""
    counts = torch.zeros(3, dtype=torch.long)
    if "labels" in batch:
        of_row = (batch["labels"] != IGNORED).sum(1)
        counts[:2] = torch.stack([rows.sum() for rows in torch.split(of_row, batch["sides"])[:2]])
    if "joint" in batch:
        counts[2] = (batch["joint"]["labels"] != IGNORED).sum()
    return counts


def share_predicted(batches: Sequence[dict[str, Any]], device: torch.device) -> None:
    """Give all forward passes of an optimiser step, in all processes, the mean of their ``predicted``, if there is any.

    What divides its sum by this mean, then averaged over the passes, is a mean over the masked positions of the step.
    """
    counts = [batch["predicted"] for batch in batches if "predicted" in batch]
    if counts:
        mean = total(torch.stack(counts).sum(0).to(device)) / (len(counts) * world()[1])
        for batch in batches:
            batch["predicted"] = mean
