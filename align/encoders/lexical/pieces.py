"""What the pieces of a tokenizer are, and which of a text's are its prompt's."""

from __future__ import annotations

import numpy as np
import regex
from numpy.typing import NDArray

from align.encoders.text_model import TextModel

CONTINUES, BEGINS, ALONE, SPACE = range(4)
"""What a piece is: inside a word, the first of one, one by itself, or nothing but the space before a word."""
SPACES = ("\u2581", "\u0120")
"""How SentencePiece and byte-level BPE write the space before a word."""
INSIDE = "##"
"""How WordPiece marks a piece inside a word."""
_ALONE = regex.compile(
    r"[\p{P}\p{S}\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]"
)
"""Signs, and scripts that write no space between words: there each piece stands for a word."""


def piece_kinds(encoder: TextModel) -> NDArray[np.int8]:
    """(V,) what each piece is. Of a tokenizer that marks neither spaces nor insides, each piece is a word.

    Tokens that were added to a tokenizer are cut out of the text before it is split, so they bear no mark: each is by
    itself. A cloned language (:mod:`align.laboratory.cloning`) is written in nothing else.
    """
    vocabulary: dict[str, int] = encoder.tokenizer.get_vocab()
    by_space = any(piece.startswith(SPACES) for piece in vocabulary)
    by_inside = not by_space and any(piece.startswith(INSIDE) for piece in vocabulary)
    kinds = np.full(max(vocabulary.values()) + 1, BEGINS, dtype=np.int8)
    for piece, number in vocabulary.items():
        marked = piece.startswith(SPACES)
        text = piece[1:] if marked else piece.removeprefix(INSIDE) if by_inside else piece
        if by_space and marked and not text:
            kinds[number] = SPACE
        elif _ALONE.match(text):
            kinds[number] = ALONE
        elif (by_space and not marked) or (by_inside and piece.startswith(INSIDE)):
            kinds[number] = CONTINUES
    kinds[list(encoder.tokenizer.get_added_vocab().values())] = ALONE
    return kinds


def prompt_pieces(encoder: TextModel) -> int:
    """Tokens at the start of each text that are its prompt's, and what the tokenizer puts before it."""
    prompt = encoder.prompt.rstrip()  # the space at its end is a piece of the first word
    ids: list[int] = encoder.tokenizer(prompt, verbose=False)["input_ids"]
    return len(ids) - (bool(ids) and ids[-1] in encoder.tokenizer.all_special_ids)
