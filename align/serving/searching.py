"""Search by text, with the reasons: the nearest rows, their languages and scripts, and how the query was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from align.errors import unknown
from align.indexes.index import Index
from align.indexes.search import Hit, find, query_encoder, romanizer_of
from align.serving.body import field, strings
from align.serving.embeddings import asked_language
from align.serving.reading import Reading, offset_of, readings
from align.serving.refused import Refused
from align.serving.worker import Work
from align.text.edit_distance import fuzzy_match
from align.text.languages import language_name, latin, web_language
from align.text.romanize.registry import DEFAULT, find_romanizer
from align.text.romanize.romanizer import romanize

if TYPE_CHECKING:
    from align.encoders.encoder import Encoder
    from align.serving.served import Served

MOST_HITS = 1_000
SHOWN = 300
"""Characters of a hit that are romanised and compared with the query."""


def search_work(encoder: Encoder, index: Index, prompt: str | None) -> Work:
    """Each query of an index to its vector, and to how it was read; the romaniser is loaded now, not by the first one.

    Raises:
        InputError: the index was made by another encoder.
    """
    encode = query_encoder(index, encoder, prompt=prompt)
    find_romanizer(romanizer_of(index) or DEFAULT).start()

    def work(queries: list[str], language: str | None) -> list[tuple[NDArray[np.float32], Reading]]:
        found = readings(encoder, index, queries, language, prompt)
        return list(zip(encode(queries, language), found, strict=True))

    return work


async def search(served: Served, body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request: ``query``, and by choice index, k, languages, scripts, where, query_language.

    Raises:
        Refused: no such index, or a number of hits that there cannot be.
        InputError: a language, script or value that no row has.
    """
    query = field(body, "query", str, needed=True)
    name = field(body, "index", str, next(iter(served.indexes), ""))
    if name not in served.indexes:
        known = unknown("index", name, served.indexes)
        raise Refused(404, known if served.indexes else "this server has no index: it gives embeddings", param="index")
    k = field(body, "k", int, 10)
    if not 1 <= k <= MOST_HITS:
        raise Refused(422, f"k must be 1 to {MOST_HITS:,}, got {k}", param="k")
    languages, scripts = (strings(body, label) or None for label in ("languages", "scripts"))
    given = field(body, "where", dict, {})
    where = {column: strings(given, column) or [] for column in given} or None
    language = asked_language(body, "query_language")
    ((vector, reading),) = await served.worker.do(name, [query], language)

    def answer() -> dict[str, Any]:
        (hits,) = find(
            served.indexes[name], [query], vector[None], k, languages=languages, scripts=scripts, where=where
        )
        romans = romanize([(hit.text or "")[:SHOWN] for hit in hits])
        as_read = romanizer_of(served.indexes[name]) is not None
        shown = [explained(hit, roman, reading) for hit, roman in zip(hits, romans, strict=True)]
        for hit, about, roman in zip(hits, shown, romans, strict=True):
            given = (latin(hit.language), roman) if as_read else (hit.language, hit.text or "")
            about["offset"] = offset_of(served.encoder, *given) if served.encoder else None
        return {"index": name, "query": query, "reading": asdict(reading), "hits": shown}

    found: dict[str, Any] = await served.alone(answer)
    return found


def explained(hit: Hit, roman: str, reading: Reading) -> dict[str, Any]:
    """A hit as JSON, with its text in Latin letters and how many of these agree with the query's (``letters``)."""
    about = asdict(hit)
    del about["query"]
    return about | {
        "language_name": language_name(hit.language), "web_language": web_language(hit.language),
        "romanised": roman if hit.text else None,
        "letters": round(fuzzy_match(reading.romanised.lower(), roman.lower()), 3) if hit.text else None,
    }  # fmt: skip


def about_index(index: Index) -> dict[str, Any]:
    """Its size, and how many rows it has in each language and script, most first."""
    counts = {label: dict(reversed(index.rows_file.counts(label).items())) for label in ("language", "script")}
    names = {code: language_name(code) for code in counts["language"]}
    return {"rows": index.rows, "languages": counts["language"], "scripts": counts["script"], "names": names,
            "columns": list(index.rows_file.own), "romanised": index.encoder.get("romanizer")}  # fmt: skip
