"""Parallel documents as sequences of alternating lines, each followed by its translation, and lines masked whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from align.training.masking.texts import Joint, join
from align.training.store import PairStore


def interlinear(pairs: Iterable[tuple[Sequence[int], Sequence[int]]], *, begin: int, max_tokens: int) -> Joint:
    """As many lines with their translations, from the first on, as fit whole into ``max_tokens``.

    ``<s> a </s>``, ``<s> b </s>`` and what follows give ``<s> a </s> b </s> a' </s> b' </s> ...``. No line is cut from
    its translation; only the first two, if they are too long by themselves, lose their ends as in :func:`.texts.join`.

    Args:
        pairs: ids of lines and translations, special tokens at the ends of each; read as far as there is room.
        begin: id of the start token.
        max_tokens: of the whole sequence.

    Raises:
        ValueError: there is no pair, or no room for a piece of each text of the first.

    References:
        Guo et al. 2024, arXiv:2403.11430, section 3 (continual pre-training of a decoder on interlinear text).
    """
    following = iter(pairs)
    first = next(following, None)
    if first is None:
        raise ValueError("interlinear text needs at least one pair of lines")
    ids, types, _, lines = map(list, join(*first, begin=begin, max_tokens=max_tokens))
    for number, both in enumerate(following, 1):
        texts = [list(text)[1:] if len(text) and text[0] == begin else list(text) for text in both]
        if len(ids) + sum(map(len, texts)) > max_tokens:
            break
        for side, text in enumerate(texts):
            ids += text
            types += [side] * len(text)
            lines += [2 * number + side] * len(text)
    return Joint(ids, types, [*range(len(ids))], lines)


def choose_lines(lines: Tensor, *, rate: float, generator: torch.Generator) -> Tensor:
    """Lines to mask whole: a share ``rate`` of all, and never one together with its translation.

    Args:
        lines: (B, T) line of each token: 2 i and 2 i + 1 are translations; -1 at padding.
        rate: 0..0.5.
        generator: source of all randomness.

    Returns:
        (B, T) bool.

    Raises:
        ValueError: the rate is outside 0..0.5.
    """
    if not 0 <= rate <= 0.5:
        raise ValueError(f"choose_lines needs a rate in 0..0.5, as one line of two stays, got {rate}")
    drawn = torch.rand(len(lines), int(lines.max()) // 2 + 1, generator=generator)
    side = (drawn >= rate).long() + 2 * (drawn >= 2 * rate)  # (B, pairs): 0 or 1 is masked, 3: neither
    return (side.gather(1, lines.clamp(min=0) // 2) == lines % 2) & (lines >= 0)


def document_ends(store: PairStore) -> NDArray[np.int64]:
    """(n,) for each pair the row behind the last of its document: the rows of a table in one pair of languages."""
    about = np.stack([store.tables, store.languages, store.language_pairs])
    ends = np.append(np.flatnonzero((about[:, 1:] != about[:, :-1]).any(axis=0)) + 1, about.shape[1])
    return ends[np.searchsorted(ends, np.arange(about.shape[1]), side="right")]
