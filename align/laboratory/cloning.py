"""Cloned languages: any text, and the same text in pieces of its own, so that two languages are parallel word by word.

A piece with the id i of V is i + l V in clone l; special tokens are shared. The clone has the original's words, order
and grammar, and shares nothing with it but the encoder's blocks: what aligns the two has learnt to.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from tokenizers import AddedToken
from torch import nn
from transformers import PreTrainedTokenizerBase

from align.encoders.encoder import Encoder
from align.encoders.weights import quiet
from align.errors import InputError
from align.streams import stream
from align.text.surrogates import well_formed

FIRST, LAST = 0xF0000, 0x10FFFD
"""Code points for private use (planes 15 and 16): each piece of a clone is written as one."""


def clone(encoder: Encoder, *, languages: int = 1, loans: float = 0.0, seed: int = 0) -> Encoder:
    """A copy of an encoder that also reads ``languages`` clones of all that it reads.

    The table of pieces (and that of a masked-LM head) is widened from V to (languages + 1) V rows. A clone's rows are
    drawn anew, each dimension normal with the mean and the deviation that it has over the original's rows; the rows of
    loans are equal to the original's, as those of words that two languages share.

    Args:
        encoder: what to copy; it stays as it is.
        languages: clones, at least 1.
        loans: share of the pieces, by lot, that a clone has from the original.
        seed: of the rows and of the lots.

    Returns:
        The encoder. :func:`cloned` writes texts for it.

    Raises:
        InputError: too many pieces to write, no clone, a share outside 0..1, or an encoder without a table of pieces.

    References:
        Schäfer et al. 2024, arXiv:2404.07982 (language imbalance and cloned languages; there of a language model).
    """
    tokenizer = copy.deepcopy(encoder.tokenizer)
    pieces = len(tokenizer)
    if languages < 1 or not 0 <= loans <= 1:
        raise InputError(f"expected at least 1 clone and loans of 0 to 1, got {languages} and {loans}")
    if (languages + 1) * pieces > LAST - FIRST + 1:
        raise InputError(
            f"{languages} clones of {pieces:,} pieces cannot be written: expected {LAST - FIRST + 1:,} pieces in all; "
            "trim the encoder first (align trim)"
        )
    model = copy.deepcopy(encoder.model)
    with quiet():
        model.resize_token_embeddings((languages + 1) * pieces, mean_resizing=False)
    table = model.get_input_embeddings()
    if not isinstance(table, nn.Embedding):
        raise InputError(f"{type(model).__name__} has no table of pieces to clone")
    rng = stream(seed, "clones")
    with torch.no_grad():
        own = table.weight[:pieces]
        for number in range(1, languages + 1):
            drawn = own.mean(0) + own.std(0) * torch.from_numpy(rng.standard_normal(own.shape)).to(own)
            borrowed = torch.from_numpy(rng.random(pieces) < loans).to(own.device)
            table.weight[number * pieces : (number + 1) * pieces] = torch.where(borrowed[:, None], own, drawn)
    written = [AddedToken(chr(FIRST + i), normalized=False) for i in range(pieces, (languages + 1) * pieces)]
    tokenizer.add_tokens(written)  # ids from ``pieces`` on
    twin = Encoder(
        model, tokenizer, encoder.pooling, tail=[*copy.deepcopy(encoder.tail)], unit=encoder.unit,
        prompt=encoder.prompt, max_tokens=encoder.max_tokens,
    )  # fmt: skip
    return twin.to(encoder.device).eval()


def cloned(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, language: int = 1) -> list[str]:
    """Texts in a clone: each piece of the original's tokenizer as one character for private use.

    Args:
        tokenizer: of the encoder that was cloned.
        texts: n strings.
        language: which clone, from 1; 0 gives the texts as they are.

    Returns:
        n strings. The cloned encoder's tokenizer gives the ids of the originals, each shifted by language * V.
    """
    if language == 0:
        return list(texts)
    shift = FIRST + language * len(tokenizer)
    special = dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))
    rows = tokenizer([well_formed(text) for text in texts], add_special_tokens=False, verbose=False)["input_ids"]
    return ["".join(special.get(i) or chr(shift + i) for i in row) for row in rows]


def shares(schedule: str) -> list[float]:
    """The share of clones in each of several equal parts of a run, from ``0.05_0.65_0.65_0.65``.

    >>> shares("0.1"), shares("0.05_0.65")
    ([0.1], [0.05, 0.65])

    Raises:
        InputError: a part that is no number from 0 to 1.
    """
    try:
        found = [float(part) for part in schedule.split("_")]
    except ValueError:
        found = [-1.0]
    if not all(0 <= share <= 1 for share in found):
        raise InputError(f"a schedule is shares from 0 to 1, such as 0.5 or 0.05_0.65_0.65, got {schedule!r}")
    return found


def mixed(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], share: float, *, seed: int) -> list[str]:
    """The texts, each in the first clone with the probability ``share``, drawn text by text."""
    lots: list[bool] = (stream(seed, "shares").random(len(texts)) < share).tolist()
    clones = cloned(tokenizer, texts)
    return [twin if lot else text for lot, text, twin in zip(lots, texts, clones, strict=True)]


def switched(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], share: float, *, seed: int) -> list[str]:
    """The texts with words in the first clone, each word with the probability ``share``."""
    rng, made = stream(seed, "switched"), []
    for text in texts:
        words = text.split()
        lots = rng.random(len(words)) < share
        made.append(" ".join(
            twin if lot else word for lot, word, twin in zip(lots, words, cloned(tokenizer, words), strict=True)
        ))  # fmt: skip
    return made


def is_cloned(text: str) -> bool:
    """Whether a text is written in a clone; one without any piece is not."""
    return any(ord(character) >= FIRST for character in text)
