"""The switched words of a text, by comparison with the text as it was; and what is masked of them."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import torch
from torch import Tensor

from align.objectives.mlm import IGNORED
from align.objectives.switched_mlm import SwitchedMlmOptions
from align.objectives.word_alignment.piece_states import NO_WORD
from align.training.masking.texts import mask_tokens

NONE = -1
"""Number of the span of a piece that was not switched."""
MASKED = 0.8
"""Share of what is chosen that is hidden."""


def switched_spans(
    switched: Sequence[int], original: Sequence[int], words: Sequence[int], own: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Of each piece of a switched text the number of its span, and the piece that stood there.

    The texts are compared word by word; where the first has other words than the second is a span. Texts that have
    less than half of the first one's words in common are no switched text and its original: nothing is found.

    >>> switched_spans([5, 9, 8, 6], [5, 1, 2, 6], [0, 1, 1, 2], [0, 1, 1, 2])
    ([-1, 0, 0, -1], [-100, 1, 2, -100])

    Args:
        switched: pieces of the switched text.
        original: of the text as it was.
        words: of each piece of the first its word, ascending; ``NO_WORD`` for what is none.
        own: the same of the second.

    Returns:
        For each piece of the first: the number of its span, from 0, or -1; and the original piece, where the word has
        as many as the one it stands for, or -100.
    """
    (places, text), (was_places, was) = _by_word(switched, words), _by_word(original, own)
    spans, truth = [NONE] * len(switched), [IGNORED] * len(switched)
    found = SequenceMatcher(None, text, was, autojunk=False)
    if 2 * sum(block.size for block in found.get_matching_blocks()) < len(text):
        return spans, truth
    number = 0
    for kind, i, stop, j, end in found.get_opcodes():
        if kind in ("equal", "insert"):
            continue
        for place in (place for word in places[i:stop] for place in word):
            spans[place] = number
        number += 1
        if stop - i == end - j:
            for word, before in zip(places[i:stop], was_places[j:end], strict=True):
                if len(word) == len(before):
                    for place, there in zip(word, before, strict=True):
                        truth[place] = original[there]
    return spans, truth


def _by_word(ids: Sequence[int], words: Sequence[int]) -> tuple[list[list[int]], list[tuple[int, ...]]]:
    """Places of the pieces of each word, and the pieces."""
    places: dict[int, list[int]] = {}
    for place, word in enumerate(words):
        if word != NO_WORD:
            places.setdefault(word, []).append(place)
    return [*places.values()], [tuple(ids[place] for place in of) for of in places.values()]


def mask_switched(
    ids: Tensor, words: Tensor, originals: Tensor, own: Tensor, options: SwitchedMlmOptions, *, special: Tensor,
    mask_id: int, vocabulary: int, generator: torch.Generator,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """What the encoder reads of switched texts, and what it is to predict, as ``options`` say.

    Args:
        ids: (R, T) pieces of the B switched texts, and other texts below them, of which nothing is predicted.
        words: (R, T) the word of each piece, or ``NO_WORD``.
        originals: (B, T') pieces of the texts as they were.
        own: (B, T') their words.
        options: ``mask``, and its shares.
        special: ids of special tokens.
        mask_id: id of the mask token.
        vocabulary: number of pieces that a random one is drawn from.
        generator: source of all randomness.

    Returns:
        (R, T) ids and (R, T) labels, -100 where nothing is predicted.
    """
    spans, truth = torch.full_like(ids, NONE), torch.full_like(ids, IGNORED)
    four = (ids.tolist(), originals.tolist(), words.tolist(), own.tolist())
    for row, one in enumerate(zip(*four, strict=False)):  # as many as there are originals
        numbers, there = switched_spans(*one)
        spans[row], truth[row] = torch.tensor(numbers), torch.tensor(there)
    if options.mask == "restore":
        return ids, truth
    maskable = (words != NO_WORD) & ~torch.isin(ids, special)
    maskable[len(originals) :] = False
    inside = (spans != NONE) & maskable
    masked, labels = mask_tokens(
        ids, maskable & ~inside, rate=options.others, mask_id=mask_id, vocabulary=vocabulary, generator=generator
    )
    lots, fate = (torch.rand(ids.shape, generator=generator) for _ in range(2))
    drawn = torch.randint(vocabulary, ids.shape, generator=generator, dtype=ids.dtype)
    if options.mask == "wep":  # one lot for each span
        lots, fate = (x.gather(1, spans.clamp(min=0)) for x in (lots, fate))
    chosen, hidden = inside & (lots < options.rate), fate < MASKED
    other = chosen & ~hidden & (fate < MASKED + options.random) & (options.mask == "pep_mrs")
    masked = torch.where(chosen & hidden, mask_id, torch.where(other, drawn, masked))
    return masked, torch.where(chosen & hidden if options.mask == "pep_m" else chosen, ids, labels)
