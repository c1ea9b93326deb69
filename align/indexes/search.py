"""Search of an index by text: queries are encoded, and romanised, as the texts of the index were."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align.errors import InputError
from align.indexes.exact import Found
from align.indexes.index import Index, load_index
from align.indexes.rows import Where, filters
from align.text.languages import latin
from align.text.normal_forms import normalised
from align.text.romanize.romanizer import romanize, romanizer_version

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder
    from align.encoders.light import LightEncoder

log = logging.getLogger(__name__)

EncodeQueries = Callable[..., NDArray[Any]]
"""Texts, and by choice the language of these, to vectors."""


@dataclass(frozen=True)
class Hit:
    """A row that was found."""

    query: str
    rank: int
    """From 1."""
    id: str
    score: float
    """Cosine, rounded to six decimals; of a compressed FAISS index an estimate."""
    text: str | None
    """``None``: the index keeps no texts."""
    language: str
    script: str
    columns: dict[str, str] = field(default_factory=dict)
    """Of the user's own."""
    terms: dict[str, float] = field(default_factory=dict)
    """If asked for: what each shared term adds to the sparse score, the heaviest first."""


def search(
    index: Index | Path | str,
    model: Encoder | str,
    queries: Sequence[str],
    k: int = 10,
    *,
    languages: Sequence[str] | None = None,
    scripts: Sequence[str] | None = None,
    where: Where | None = None,
    prompt: str | None = None,
    query_language: str | None = None,
    romanized: bool = False,
    nprobe: int | None = None,
    ef_search: int | None = None,
    device: str | None = None,
    sparse: bool = False,
    hybrid: str | float | Path | None = None,
    explain: bool = False,
) -> list[list[Hit]]:
    """The texts nearest to each query, best first.

    Args:
        index: opened, or its folder; also a folder of vectors that was not indexed.
        model: the encoder that made the vectors, or its name.
        queries: texts; an index of romanised texts has them romanised by the same romaniser.
        k: hits of each query; fewer where there are not so many rows.
        languages: only rows of these.
        scripts: only rows of these.
        where: see :meth:`align.indexes.index.Index.search`.
        prompt: see :func:`query_encoder`.
        query_language: the same.
        romanized: the same.
        nprobe: see :meth:`align.indexes.index.Index.search`.
        ef_search: the same.
        device: of the search, where ``index`` is a folder: see :func:`align.indexes.index.load_index`.
        sparse: by sparse vectors, of a folder that ``align encode --sparse`` wrote; this and the next two are told in
            :func:`align.indexes.hybrid.lexical_searcher`.
        hybrid: by both: ``rrf``, the weight of the sparse score, or a file of dev queries to fit it on.
        explain: say of each hit which terms it shares with the query (``Hit.terms``).

    Returns:
        A list of hits for each query; of a blank one it is empty.

    Raises:
        InputError: as :func:`query_encoder` and :meth:`align.indexes.index.Index.search`.
    """
    index = index if isinstance(index, Index) else load_index(index, device=device)
    if isinstance(model, str):
        from align.encoders.checkpoint import load_encoder

        model = load_encoder(model)
    asking: dict[str, Any] = {"prompt": prompt, "query_language": query_language, "romanized": romanized}
    if sparse or hybrid is not None or explain:
        from align.indexes.hybrid import lexical_searcher

        if nprobe is not None or ef_search is not None:
            raise InputError("sparse search is exact: it has no nprobe and no ef_search")
        where = filters(languages, scripts, where)
        return lexical_searcher(index, model, k, hybrid=hybrid, explain=explain, where=where, **asking)(queries)
    encode = query_encoder(index, model, **asking)
    return find(
        index, queries, encode(queries), k, languages=languages, scripts=scripts, where=where, nprobe=nprobe,
        ef_search=ef_search,
    )  # fmt: skip


def query_encoder(
    index: Index,
    encoder: Encoder | LightEncoder,
    *,
    prompt: str | None = None,
    query_language: str | None = None,
    romanized: bool = False,
    by: Callable[..., Any] | None = None,
) -> EncodeQueries:
    """The function from texts to vectors that an index can be searched with; what it needs is checked once, here.

    Args:
        index: what its manifest says decides.
        encoder: must be the one that made the vectors: weights, layer, pooling, length, normalisation, prompt, offsets.
        prompt: put before every query instead of the encoder's own. Some encoders have one prompt for queries and
            another for texts (E5: "query: ", "passage: "), so that given this, prompts are not compared, and of
            offsets, which are estimated with a prompt, the method alone.
        query_language: code of the queries' language, for the romaniser and the offsets; ``None``: no language rules,
            and the offset of the language that the script of a query decides, or none. The function that is returned
            takes another one after the texts.
        romanized: refuse an index whose texts were not romanised.
        by: what to call instead of the encoder's own ``encode``, with the encoder, the texts and their language.

    Raises:
        InputError: another encoder than the index's (the fields that differ are named), another version of the
            romaniser, or an index that was not romanised where one is expected.
    """
    backend = romanizer_of(index)
    if romanized and backend is None:
        raise InputError(
            f"{index.folder} holds texts that were not romanised before encoding: romanised queries need align encode "
            "--romanize"
        )
    identity = encoder.identity() | ({"romanizer": romanizer_version(backend)} if backend else {})
    index.check_encoder(identity, prompt=prompt is None)

    def encode(queries: Sequence[str], language: str | None = query_language) -> NDArray[Any]:
        if isinstance(queries, str):
            raise InputError("expected a list of queries, got one string")
        texts = romanize(queries, lang=language, backend=backend) if backend else queries
        with prompted(encoder, prompt):
            code = latin(language or "") if backend else language
            return encoder.encode(texts, language=code) if by is None else by(encoder, texts, language=code)

    return encode


def romanizer_of(index: Index) -> str | None:
    """Name of the romaniser that the texts of an index went through before they were encoded; ``None``: none."""
    stored = index.encoder.get("romanizer")
    return None if stored is None else "fast" if "uroman-fast" in stored else "uroman"


@contextmanager
def prompted(encoder: Encoder | LightEncoder, prompt: str | None) -> Iterator[None]:
    """The encoder with another prompt than its own, if one is given, while the context lasts."""
    before, encoder.prompt = encoder.prompt, encoder.prompt if prompt is None else prompt
    try:
        yield
    finally:
        encoder.prompt = before


def find(
    index: Index,
    queries: Sequence[str],
    vectors: ArrayLike,
    k: int = 10,
    *,
    languages: Sequence[str] | None = None,
    scripts: Sequence[str] | None = None,
    where: Where | None = None,
    nprobe: int | None = None,
    ef_search: int | None = None,
) -> list[list[Hit]]:
    """The hits of queries whose (n, dimensions) vectors are known; arguments as of :func:`search`."""
    return hits(index, queries, index.search(
        vectors, k, languages=languages, scripts=scripts, where=where, nprobe=nprobe, ef_search=ef_search
    ))  # fmt: skip


def hits(index: Index, queries: Sequence[str], rows_found: Found) -> list[list[Hit]]:
    """The hits of queries from the scores and rows that were found; a blank one has none, and a warning says so."""
    scores, rows = rows_found
    blank = [not normalised(query) for query in queries]
    if any(blank):
        log.warning("%d of %d queries are blank, and have no hits", sum(blank), len(blank))
    own = index.rows_file.own
    found = iter(index.rows_file.take(rows, ["id", "text", "language", "script", *own]))
    return [
        [
            Hit(query, rank, score=round(float(score), 6), **_fields(row, own))
            for rank, (score, row) in enumerate(zip(of_query, found, strict=False), 1)
            if np.isfinite(score) and not nothing
        ]
        for query, of_query, nothing in zip(queries, scores, blank, strict=True)
    ]


def _fields(row: dict[str, Any], own: Sequence[str]) -> dict[str, Any]:
    columns = {name: row.pop(name) for name in own}
    return {"text": None, **row, "columns": columns}
