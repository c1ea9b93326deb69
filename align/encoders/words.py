"""Vectors of words: alone, inside a template, or followed by their gloss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.encoders.batching import Input
from align.encoders.encoder import Encoder
from align.errors import InputError

PLACE = "{word}"  # where a template has the word


def word_encoder(
    encoder: Encoder,
    *,
    template: str | None = None,
    glosses: Mapping[str, str] | None = None,
    batch_tokens: int | None = None,
    progress: bool = False,
) -> Callable[[Sequence[str], str], NDArray[np.float32]]:
    """A function (words, language) -> (n, D) vectors, for tasks on words.

    Without template and glosses a word is encoded as any text is, and the encoder's pooling says what counts: layer k
    or the mean of layers, subwords only, special tokens too, or CLS. With either of them the layer and the kind are the
    encoder's still, but only the subwords of the word itself are pooled: with the piece of the space before it, where
    SentencePiece has one, as in a word alone. Weighted pooling counts their places in the whole sequence. Glosses are
    the second kind of input of Green et al. 2023 (ACL).

    Args:
        encoder: with a fast tokenizer, if there is a template or a gloss.
        template: a text with ``{word}`` once, such as "This is {word}."; the encoder's prompt goes before it.
        glosses: word -> its gloss, put behind it as the second text: [CLS] word [SEP] gloss [SEP]. A word without
            gloss stands alone. Where both do not fit, the gloss is cut first.
        batch_tokens: padded tokens of one forward pass; bounds memory. None: what the encoder finds best.
        progress: show a bar.

    Returns:
        The function; its vectors are unit ones if the encoder's are.

    Raises:
        InputError: a template without ``{word}``, a slow tokenizer, cls pooling with a template or glosses; and from
            the function, a word that has no subword or that was cut off.
    """
    if template is None and glosses is None:
        return lambda words, language: encoder.encode(
            words, language=language, batch_tokens=batch_tokens, progress=progress
        )
    before, *rest = (PLACE if template is None else template).split(PLACE)
    if len(rest) != 1:
        raise InputError(f"a template needs {PLACE} once, got {template!r}")
    if not encoder.tokenizer.is_fast:
        raise InputError(
            f"templates and glosses need a fast tokenizer, to find the word: {type(encoder.tokenizer).__name__} is slow"
        )
    if encoder.pooling.kind == "cls":
        raise InputError("cls pooling reads no subword: with a template or glosses pool by mean or weighted")
    tokens = partial(_word_tokens, encoder, encoder.prompt + before, rest[0], glosses or {})

    def encode(words: Sequence[str], language: str) -> NDArray[np.float32]:
        if isinstance(words, str):
            raise InputError("a word encoder needs a list of words, got one string")
        return encoder.encode(
            words, language=language, tokens=tokens, batch_tokens=batch_tokens, progress=progress
        )  # fmt: skip

    return encode


def part_tokens(encoder: Encoder, text: str, place: tuple[int, int], *, max_tokens: int | None = None) -> Input | None:
    """A text as the encoder takes it, behind its prompt, with the tokens of a part of it counted.

    A token counts if it has a character of the part, also one that reaches beyond it; so does that of the space before.
    None: the part is not read, or not whole, for it has no token or more than ``max_tokens`` come before its end.

    Raises:
        InputError: a slow tokenizer, or a part that is empty or outside the text.
    """
    start, end = place
    if not encoder.tokenizer.is_fast:
        raise InputError(f"a part of a text needs a fast tokenizer: {type(encoder.tokenizer).__name__} is slow")
    if not 0 <= start < end <= len(text):
        raise InputError(f"no part of {text[:60]!r}, of {len(text)} characters: {start} to {end}")
    before, part, after = encoder.readable([text[:start], text[start:end], text[end:]])
    before = encoder.prompt + before
    limit = min(max_tokens or encoder.max_tokens, encoder.max_tokens)
    (read,) = _encodings(encoder, [before + part + after], limit=limit)
    inside = _inside(read, (len(before), len(before) + len(part)))
    last = max(end for _, end in read.offsets)
    if not any(inside) or last < len(before + part.rstrip()):
        return None
    return Input(read.ids, read.type_ids, _inside(read, (len(before.rstrip()), len(before) + len(part))))


def span_tokens(encoder: Encoder, texts: Sequence[str], places: Sequence[tuple[int, int]]) -> list[Input]:
    """Texts as the encoder takes them, with the tokens of a part of each counted; see :func:`part_tokens`.

    >>> [one.counted for one in span_tokens(load_encoder("seed"), ["Oslo is in Norway."], [(11, 17)])]  # doctest: +SKIP
    [[False, False, False, False, False, True, True, False, False]]

    Args:
        encoder: with a fast tokenizer.
        texts: n of them; what does not fit is cut.
        places: characters ``start`` to ``end`` - 1 of each.

    Raises:
        InputError: as :func:`part_tokens`, or a part that is not read.
    """
    made = []
    for text, place in zip(texts, places, strict=True):
        row = part_tokens(encoder, text, place)
        if row is None:
            part = text[slice(*place)]
            raise InputError(f"{part[:60]!r} in {text[:60]!r} has no token, or is beyond {encoder.max_tokens} of them")
        made.append(row)
    return made


def _word_tokens(
    encoder: Encoder, before: str, after: str, glosses: Mapping[str, str], words: Sequence[str]
) -> list[Input]:
    """The words as the encoder takes them, with their own subwords counted."""
    found: dict[int, Any] = {}
    read = encoder.readable(words)
    for glossed in (True, False):
        rows = [i for i, word in enumerate(words) if (word in glosses) is glossed]
        texts = [[before + read[i] + after for i in rows]]
        if glossed:
            texts.append(encoder.readable([glosses[words[i]] for i in rows]))
        if rows:
            found |= zip(rows, _encodings(encoder, *texts, limit=encoder.max_tokens), strict=True)
    tokens = []
    for i, word in enumerate(words):
        start, end = len(before), len(before) + len(read[i])
        span = len(before.rstrip()), end
        counted = _inside(found[i], span)
        if len(found[i].ids) >= encoder.max_tokens:  # it may have been cut
            (whole,) = _encodings(encoder, [before + read[i] + after])
            if sum(counted) < sum(_inside(whole, span)):
                raise InputError(f"the word {word[:60]!r} with its context is over {encoder.max_tokens} tokens")
        if not any(_inside(found[i], (start, end))):
            raise InputError(f"the word {word[:60]!r} has no subword")
        tokens.append(Input(found[i].ids, found[i].type_ids, counted))
    return tokens


def _encodings(encoder: Encoder, *texts: list[str], limit: int | None = None) -> list[Any]:
    """Tokenised texts, or pairs of texts, with the place of each token; cut to ``limit`` tokens."""
    made: list[Any] = encoder.tokenizer(*texts, truncation=limit is not None, max_length=limit, verbose=False).encodings
    return made


def _inside(encoding: Any, span: tuple[int, int]) -> list[bool]:
    """Of each token, whether it has a character of the span of the first text."""
    return [
        sequence == 0 and max(start, span[0]) < min(end, span[1])
        for sequence, (start, end) in zip(encoding.sequence_ids, encoding.offsets, strict=True)
    ]
