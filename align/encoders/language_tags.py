"""Language tags: a token before a text that names its language, ``<2hin_Deva>``, as translation models have them.

They are tokens of the tokenizer, so that a checkpoint keeps them; an encoder puts them before texts only if it is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerBase

from align.encoders.blocks import word_table
from align.encoders.weights import quiet
from align.errors import InputError
from align.text.languages import check_language

if TYPE_CHECKING:
    from align.encoders.text_model import TextModel

TAG = re.compile(r"<2([a-z]{3}_[A-Z][a-z]{3})>")


def tag_ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Ids of the tags that a tokenizer has, by language."""
    found = {TAG.fullmatch(token): i for token, i in tokenizer.get_added_vocab().items()}
    return dict(sorted((match[1], i) for match, i in found.items() if match))


def add_tags(encoder: TextModel, languages: Sequence[str]) -> None:
    """Give an encoder the tags that it lacks, in place; their rows start as the mean of all other rows.

    Raises:
        InputError: an unknown language, or a model without a table of pieces.

    References:
        Johnson et al. 2017, Q17-1024 (there the tag is of the language to translate into).
    """
    new = [code for code in sorted(set(map(check_language, languages))) if code not in encoder.tags]
    if not new:
        return
    if word_table(encoder.model) is None:
        raise InputError(f"{type(encoder.model).__name__} has no table of pieces: it can have no language tags")
    pieces = len(encoder.tokenizer)
    encoder.tokenizer.add_tokens([AddedToken(f"<2{code}>", normalized=False, special=True) for code in new])
    with quiet(), torch.no_grad():
        rows = int(encoder.model.get_input_embeddings().weight.shape[0])
        if len(encoder.tokenizer) > rows:
            encoder.model.resize_token_embeddings(len(encoder.tokenizer), mean_resizing=False)
        weight = encoder.model.get_input_embeddings().weight
        weight[pieces : len(encoder.tokenizer)] = weight[:pieces].mean(0)
    encoder.tags = tag_ids(encoder.tokenizer)


def tagged(encoder: TextModel, texts: Sequence[str], language: str | Sequence[str] | None) -> list[str]:
    """Each text behind the tag of its language; the prompt goes before both.

    Raises:
        InputError: a text of no language, or of one that has no tag.
    """
    codes = [language or ""] * len(texts) if language is None or isinstance(language, str) else list(language)
    if len(codes) != len(texts):
        raise InputError(f"{len(texts)} texts but {len(codes)} languages: expected one for each text")
    unknown = sorted({code for code in codes if code not in encoder.tags})
    if unknown:
        known = ", ".join(encoder.tags) or "no language: none was trained (train.language_tags)"
        named = f"no language tag of {unknown[0]}" if unknown[0] else "language tags need the language of each text"
        raise InputError(f"{named}: the encoder has tags of {known}")
    return [f"<2{code}> {text}" for code, text in zip(codes, texts, strict=True)]
