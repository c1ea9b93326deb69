"""The pieces of both texts of pairs: their states, their words, and how those of each side point to the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from align.objectives.checks import fit, working
from align.objectives.temperature import check_temperature

NO_WORD = -1
"""Number of the word of a piece that is padding, a special token or of the prompt."""


@dataclass(frozen=True)
class PieceStates:
    """The need ``pieces``: each pair's two texts, piece by piece."""

    source: Tensor
    """(B, S, D) states. Gradients flow through."""
    target: Tensor
    """(B, T, D)."""
    source_words: Tensor
    """(B, S) number of the word of each piece, from 0; ``NO_WORD`` where there is none."""
    target_words: Tensor
    """(B, T)."""


def pointing(pieces: PieceStates, *, temperature: float = 1.0, cosine: bool = False) -> tuple[Tensor, Tensor]:
    """How the pieces of each text point to those of the other: P and Q.

    With s_ij = h_i . k_j / temperature (of unit states, if ``cosine``) over the pieces of words alone::

        P_ij = exp s_ij / sum over j' of exp s_ij'        Q_ij = exp s_ij / sum over i' of exp s_i'j

    Returns:
        (B, S, T) P and Q; 0 in rows and columns of pieces of no word, and everywhere if one text has no word.

    Raises:
        ValueError: the shapes disagree, or a temperature that is not positive.

    References:
        Dou and Neubig 2021, arXiv:2101.08231, eq. 1 and 2 (softmax; there of raw states, temperature 1).
    """
    source, target = pieces.source, pieces.target
    right = source.dim() == target.dim() == 3 and source.shape[::2] == target.shape[::2] and len(source) > 0
    right = right and pieces.source_words.shape == source.shape[:2] and pieces.target_words.shape == target.shape[:2]
    fit(right, "pieces need (B, S, D) and (B, T, D) states, B >= 1, and (B, S) and (B, T) words",
        source, target, pieces.source_words, pieces.target_words)  # fmt: skip
    check_temperature("pointing", temperature)
    scores = working(source, cosine) @ working(target, cosine).transpose(1, 2) / temperature
    real = (pieces.source_words != NO_WORD)[:, :, None] & (pieces.target_words != NO_WORD)[:, None, :]
    scores = scores.masked_fill(~real, torch.finfo(scores.dtype).min)  # -inf would make NaN of an empty text
    return scores.softmax(dim=2) * real, scores.softmax(dim=1) * real


def counted(words: Tensor) -> Tensor:
    """(B,) pieces of words in each text, at least 1."""
    return (words != NO_WORD).sum(dim=1).clamp(min=1)


@torch.no_grad()
def word_links(forward: Tensor, backward: Tensor, pieces: PieceStates, *, threshold: float) -> Tensor:
    """(B, S, T) 1 at all pieces of two words of which some pieces point to each other by more than ``threshold``.

    References:
        Dou and Neubig 2021, section 2.2 (intersection of both directions; subwords to words).
    """
    links = ((forward > threshold) & (backward > threshold)).to(forward.dtype)
    source, target = (_members(words).to(forward.dtype) for words in (pieces.source_words, pieces.target_words))
    of_words = (source.transpose(1, 2) @ links @ target) > 0  # (B, words, words)
    return source @ of_words.to(forward.dtype) @ target.transpose(1, 2)


def _members(words: Tensor) -> Tensor:
    """(B, S, W) 1 where a piece is of a word; a piece of none has zeros."""
    return one_hot(words + 1, int(words.max()) + 2)[:, :, 1:]
