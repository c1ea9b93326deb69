"""How an encoder reads a text: what is romanised, which pieces it has, whose offset is taken off its vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from align.indexes.index import Index
from align.indexes.search import prompted, romanizer_of
from align.text.languages import dominant_script, latin
from align.text.romanize.registry import DEFAULT
from align.text.romanize.romanizer import romanize

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder


@dataclass(frozen=True)
class Reading:
    """Why a query has the vector that it has."""

    script: str
    """Of most letters."""
    romanised: str
    """In Latin letters, for whoever looks."""
    read: str
    """What the tokenizer got: the text, or what the index's romaniser or the encoder's fallback makes of it."""
    pieces: list[str]
    """As the tokenizer cuts it, with prompt and special tokens; those beyond ``cut`` were not read."""
    unknown: int
    """Pieces that the tokenizer does not know."""
    cut: int | None
    """Tokens that were read of a text that has more."""
    romanised_by: str | None
    """``index`` or ``fallback``; ``None``: it was read as it is."""
    encoder: str | None
    """Of two encoders: ``native`` or ``romanised``."""
    offset: str | None
    """Language whose offset was taken off; "": of none, as its language is not known; ``None``: there are none."""


def readings(
    encoder: Encoder, index: Index, queries: Sequence[str], language: str | None, prompt: str | None
) -> list[Reading]:
    """How each query of an index is read; arguments as of :func:`align.indexes.search.query_encoder`."""
    backend = romanizer_of(index)
    shown = romanize(queries, lang=language, backend=backend or DEFAULT)
    texts, code = (shown, latin(language or "")) if backend else (list(queries), language)
    read = encoder.readable(texts)
    with prompted(encoder, prompt):
        every = encoder.tokenize(texts, whole=True)
    routes = encoder.route.romanised(texts, code) if encoder.route else [None] * len(texts)
    found = []
    for text, roman, given, ids, route in zip(texts, shown, read, every, routes, strict=True):
        found.append(Reading(
            script=dominant_script(text), romanised=roman, read=given,
            pieces=encoder.tokenizer.convert_ids_to_tokens(ids),
            unknown=0 if encoder.tokenizer.unk_token_id is None else ids.count(encoder.tokenizer.unk_token_id),
            cut=encoder.max_tokens if len(ids) > encoder.max_tokens else None,
            romanised_by="index" if backend else "fallback" if given != text else None,
            encoder=None if route is None else "romanised" if route else "native",
            offset=offset_of(encoder, code or "", text),
        ))  # fmt: skip
    return found


def offset_of(encoder: Encoder, language: str, text: str) -> str | None:
    """Language whose offset an encoder takes off a text's vector; "": none of them; ``None``: it takes none off."""
    if encoder.offsets is None:
        return None
    (code,), (script,) = encoder.offsets.texts_of([text], language)
    return "every language" if encoder.offsets.method == "project" else encoder.offsets.language(code, script)
