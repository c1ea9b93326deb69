"""Queries for passages, made without a network: what ``augmentation`` moves the passages' vectors towards.

A source is a function of texts and their language codes ("" where not known) that gives the queries of each text.
Titles and translations that are there already need none: lines ``id TAB title`` are a file of queries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import regex

from align.errors import InputError
from align.files.whole import whole_file
from align.pairs.lexicons.dictionary import dictionary_pairs
from align.pairs.reading.records import json_records, parquet_records
from align.text.normal_forms import normalised
from align.text.surrogates import well_formed
from align.vectors.folder import Vectors

Source = Callable[[Sequence[str], Sequence[str]], list[list[str]]]
"""(texts, languages) -> the queries of each text, any number of them."""

# A full stop ends a sentence before white space only (3.5, example.org); those of other scripts anywhere.
_SENTENCE = regex.compile(
    r".+?(?:[.!?…]+[\p{Pe}\p{Pf}\"']*(?=\s|$)|[。！？｡।॥۔؟።။។։܀܁܂]+[\p{Pe}\p{Pf}]*|$)", regex.DOTALL
)
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}\u200c\u200d]+(?:['’-][\p{L}\p{M}\p{N}\u200c\u200d]+)*")


class Generator(Protocol):
    """A model that writes queries, such as a sequence-to-sequence one."""

    def generate(self, text: str, language: str, k: int) -> list[str]:
        """At most ``k`` queries that the text answers; ``language`` is that of the text, "" if not known."""
        ...


def first_sentences(texts: Sequence[str], languages: Sequence[str]) -> list[list[str]]:
    """The first sentence of each text. An abbreviation before a space (Dr. ) ends one too early.

    >>> first_sentences(["It is 3.5 km. Far?", "नमस्ते। कैसे?"], ["", ""])
    [['It is 3.5 km.'], ['नमस्ते।']]
    """
    found = (_SENTENCE.match(text.strip()) for text in texts)
    return [[match[0]] if match else [] for match in found]


def romanized(texts: Sequence[str], languages: Sequence[str]) -> list[list[str]]:
    """Each text in Latin letters, as uroman writes it with the rules of its language.

    Raises:
        InputError: an unknown language code.
    """
    from align.text.romanize.romanizer import romanize

    made: list[list[str]] = [[] for _ in texts]
    for language in dict.fromkeys(languages):
        rows = [row for row, of in enumerate(languages) if of == language]
        for row, roman in zip(rows, romanize([texts[row] for row in rows], lang=language or None), strict=True):
            made[row] = [roman]
    return made


def lexicon_switched(lexicon: Path, *, share: float = 0.5, seed: int = 0) -> Source:
    """A source that replaces words of a text by their translations.

    Of the w words of a text that the dictionary has, max(1, round(share * w)) are replaced, each by one of its
    translations, all drawn with equal chances from ``seed`` and the text alone. Words are looked up as written, then
    in lower case; what is written without spaces between words is not cut into words.

    Args:
        lexicon: dictionary, a line ``word TAB translation`` (or a space), plain or ``.gz``.
        share: of the known words, above 0 and at most 1.
        seed: at least 0.

    Raises:
        InputError: not such a file, no entries, or an option outside its range.
    """
    if not 0 < share <= 1 or seed < 0:
        raise InputError(f"expected a share above 0 and at most 1, and a seed of at least 0, got {share} and {seed}")
    entries: dict[str, list[str]] = {}
    for pair in dictionary_pairs(lexicon, source_lang="und", target_lang="und"):
        if not pair.problem:
            entries.setdefault(pair.source, []).append(pair.target)
    if not entries:
        raise InputError(f"{lexicon} has no entries; expected lines of word TAB translation")

    def switch(text: str) -> list[str]:
        words = [match for match in _WORD.finditer(text) if match[0] in entries or match[0].lower() in entries]
        if not words:
            return []
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        draw = np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
        chosen = draw.choice(len(words), size=max(1, round(share * len(words))), replace=False)
        for place in sorted(chosen.tolist(), reverse=True):
            word = words[place]
            choices = entries.get(word[0]) or entries[word[0].lower()]
            text = text[: word.start()] + choices[draw.integers(len(choices))] + text[word.end() :]
        return [text]

    return lambda texts, languages: [switch(text) for text in texts]


def generated(generator: Generator, *, k: int = 5) -> Source:
    """A source that asks a generator for ``k`` queries of each text.

    Raises:
        InputError: ``k`` below 1; and from the source, something else than a list of at most ``k`` strings.
    """
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")

    def ask(text: str, language: str) -> list[str]:
        queries: Any = generator.generate(text, language, k)
        if not isinstance(queries, list) or len(queries) > k or not all(isinstance(query, str) for query in queries):
            raise InputError(
                f"{type(generator).__name__}.generate: expected a list of at most {k} strings, got {queries!r:.60}"
            )
        return queries

    return lambda texts, languages: [ask(*row) for row in zip(texts, languages, strict=True)]


def make_queries(vectors: Vectors, out: Path, source: Source, *, language: str | None = None) -> dict[str, int]:
    """Write the queries of a folder's passages: lines ``id TAB query``, in the order of the passages.

    White space in a query becomes a space. Empty ones, and those that are the passage itself (which would not move
    it), are left out and counted.

    Args:
        vectors: a folder that holds its texts.
        out: the file, written whole or not at all.
        source: such as :func:`romanized`.
        language: of the passages that get queries, as the folder has it; ``None``: all.

    Returns:
        ``passages``, ``queries``, and ``left_out``.

    Raises:
        InputError: the folder has no texts, or none in this language; an id with a tab or line end; and what the
            source raises.
    """
    counts = {"passages": 0, "queries": 0, "left_out": 0}
    with whole_file(out) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        for ids, texts, languages in _passages(vectors, language):
            counts["passages"] += len(ids)
            for name, text, queries in zip(ids, texts, source(texts, languages), strict=True):
                for query in queries:
                    line = " ".join(well_formed(query).split())
                    if not line or normalised(line) == normalised(text):
                        counts["left_out"] += 1
                        continue
                    file.write(f"{name}\t{line}\n")
                    counts["queries"] += 1
        if not counts["passages"] and language is not None:
            raise InputError(f"{vectors.folder} has no passage in {language}")
    return counts


def _passages(vectors: Vectors, language: str | None) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """Ids, texts, languages."""
    import pyarrow.compute as pc

    for table in vectors.tables(["id", "language", "text"]):
        if "text" not in table.column_names:
            raise InputError(f"{vectors.folder} holds no texts to make queries from: encode with the texts stored")
        if language is not None:
            table = table.filter(pc.equal(table.column("language"), language))
        ids, texts, languages = (table.column(name).to_pylist() for name in ("id", "text", "language"))
        bad = next((name for name in ids if regex.search(r"[\t\n\r]", name)), None)
        if bad is not None:
            raise InputError(f"{vectors.folder}: id {bad!r} holds a tab or a line end, which no line id TAB query can")
        yield ids, texts, languages


def column_queries(records: Path, out: Path, *, column: str, id_column: str = "id") -> dict[str, int]:
    """Write a column of a corpus (its titles, translations) as queries: lines ``id TAB query``.

    Args:
        records: ``.jsonl``, ``.jsonl.gz`` or ``.parquet`` with a column of ids, those of the encoded corpus.
        out: the file, written whole or not at all.
        column: the column; empty and null cells are left out and counted.
        id_column: that of the ids.

    Returns:
        ``rows``, ``queries``, and ``left_out``.

    Raises:
        InputError: no such file or column, or a cell that is no text; with its line.
    """
    rows = parquet_records(records) if records.suffix == ".parquet" else json_records(records)
    counts = {"rows": 0, "queries": 0, "left_out": 0}
    with whole_file(out) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        for number, row in rows:
            if id_column not in row or column not in row:
                raise InputError(
                    f"{records}, line {number}: expected columns {id_column!r} and {column!r}, got {', '.join(row)}"
                )
            name, query = str(row[id_column]), row[column]
            if query is not None and not isinstance(query, str):
                raise InputError(f"{records}, line {number}: expected text in {column!r}, got {type(query).__name__}")
            if regex.search(r"[\t\n\r]", name):
                raise InputError(f"{records}, line {number}: id {name!r} holds a tab or a line end")
            line = " ".join(well_formed(query or "").split())
            counts["rows"] += 1
            counts["queries" if line else "left_out"] += 1
            if line:
                file.write(f"{name}\t{line}\n")
    return counts
