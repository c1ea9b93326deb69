"""Pairs as flat integer arrays: tokenised once, so that samplers and batches never see a string."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from align.errors import InputError

if TYPE_CHECKING:
    from datasets import Dataset

    from align.encoder import Encoder

BLOCK = 8192  # texts handed to the tokenizer at once


@dataclass(frozen=True)
class Tokens:
    """n texts as one array of ids: text i is ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: NDArray[np.int32]
    """All ids, one text after the other."""
    offsets: NDArray[np.int64]
    """(n + 1,) where each text starts."""

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        """Ids of one text."""
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens per text."""
        return np.diff(self.offsets)


def tokenize(texts: Sequence[str], encoder: Encoder, *, max_tokens: int, progress: bool = False) -> Tokens:
    """Tokenise texts with the encoder's prompt and special tokens; at most ``max_tokens`` of each."""
    parts, lengths = [np.empty(0, dtype=np.int32)], []
    for start in tqdm(range(0, len(texts), BLOCK), desc="tokenise", unit="block", disable=not progress):
        for row in encoder.tokenize(texts[start : start + BLOCK], max_tokens=max_tokens):
            parts.append(np.asarray(row, dtype=np.int32))
            lengths.append(len(row))
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
    return Tokens(np.concatenate(parts), offsets)


@dataclass(frozen=True)
class PairStore:
    """Tokenised pairs and what the sampler needs to know of them."""

    source: Tokens
    """Source side (native script)."""
    target: Tokens
    """Target side (romanisation, translation)."""
    languages: NDArray[np.int64]
    """(n,) index into ``names`` of the source language."""
    names: tuple[str, ...]
    """Language codes, sorted."""
    groups: NDArray[np.int64]
    """(n,) integer meaning of each pair."""
    digest: str
    """Hash of the texts, languages and groups."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens of the longer side."""
        return np.maximum(self.source.lengths, self.target.lengths)


def build_store(pairs: Dataset, encoder: Encoder, *, max_tokens: int, progress: bool = False) -> PairStore:
    """Tokenise a pair table.

    Raises:
        InputError: the table lacks a column or has no row.
    """
    needed = ("source", "target", "source_lang", "target_lang", "group_id")
    missing = [name for name in needed if name not in pairs.column_names]
    if missing:
        raise InputError(f"the pairs lack the column {missing[0]}: found {', '.join(pairs.column_names)}")
    if len(pairs) == 0:
        raise InputError("the pair table is empty: there is nothing to train on")
    columns = {name: list(pairs[name]) for name in needed}
    digest = hashlib.sha256()
    for row in zip(*columns.values(), strict=True):
        digest.update("\x1f".join(map(str, row)).encode("utf-8", "surrogatepass") + b"\n")
    names, languages = np.unique(np.array(columns["source_lang"]), return_inverse=True)
    _, groups = np.unique(np.array([str(g) for g in columns["group_id"]]), return_inverse=True)
    return PairStore(
        source=tokenize(columns["source"], encoder, max_tokens=max_tokens, progress=progress),
        target=tokenize(columns["target"], encoder, max_tokens=max_tokens, progress=progress),
        languages=languages.astype(np.int64),
        names=tuple(str(name) for name in names),
        groups=groups.astype(np.int64),
        digest=digest.hexdigest(),
    )
