"""Files of queries for passages, lines ``id TAB query``: what ``augment`` moves the passages' vectors towards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import regex

from align.errors import InputError
from align.files.whole import whole_file
from align.indexes.query_sources import Source, first_sentences, lexicon_switched, romanized
from align.pairs.reading.records import file_records
from align.text.normal_forms import normalised
from align.text.surrogates import well_formed
from align.vectors.folder import Vectors, open_vectors

_BREAKS = regex.compile(r"[\t\n\r]")
SOURCES = ("romanized", "first-sentence", "lexicon", "column")


def augment_queries(
    vectors: Path | str,
    out: Path | str,
    *,
    source: str,
    lexicon: Path | str | None = None,
    share: float = 0.5,
    seed: int = 0,
    column: str = "title",
    id_column: str = "id",
    language: str | None = None,
) -> dict[str, int]:
    """Make queries for passages offline, and write them as :func:`align.augment` reads them: lines ``id TAB query``.

    Args:
        vectors: folder of vectors that holds its texts; of ``column``, the ``.jsonl`` or ``.parquet`` of the corpus.
        out: the file, written whole or not at all.
        source: ``romanized``, ``first-sentence``, ``lexicon`` (words replaced by a dictionary's) or ``column``.
        lexicon: of ``lexicon``, see :func:`lexicon_switched`.
        share: likewise.
        seed: likewise.
        column: of ``column``, see :func:`column_queries`.
        id_column: likewise.
        language: only passages in this language; ``None``: all.

    Returns:
        How many passages (of ``column``: rows) and queries there are, and how many were ``left_out``.

    Raises:
        InputError: an unknown source, an option of another one, or what :func:`make_queries` and the source refuse.
    """
    if source not in SOURCES:
        raise InputError(f"source must be {' or '.join(SOURCES)}, got {source!r}")
    if (source == "lexicon") != (lexicon is not None):
        raise InputError("source lexicon and a lexicon file go together")
    if source == "column":
        if language is not None:
            raise InputError("source column takes all rows: language is for the other sources")
        return column_queries(Path(vectors), Path(out), column=column, id_column=id_column)
    if lexicon is not None:
        made = lexicon_switched(Path(lexicon), share=share, seed=seed)
    else:
        made = romanized if source == "romanized" else first_sentences
    return make_queries(open_vectors(vectors), Path(out), made, language=language)


def make_queries(vectors: Vectors, out: Path, source: Source, *, language: str | None = None) -> dict[str, int]:
    """Write the queries that a source makes of a folder's passages, in the order of the passages.

    White space in a query becomes a space. Empty ones, and those that are the passage itself (which would not move
    it), are left out and counted.

    Raises:
        InputError: the folder has no texts, or none in this language; an id with a tab or line end; and what the
            source raises.
    """
    return _write(out, "passages", _of_passages(vectors, source, language))


def column_queries(records: Path, out: Path, *, column: str, id_column: str = "id") -> dict[str, int]:
    """Write a column of a corpus (its titles, translations) as queries; empty and null cells are left out and counted.

    Args:
        records: ``.jsonl`` (plain or compressed) or ``.parquet`` with a column of ids, those of the encoded corpus.
        out: the file.
        column: the column.
        id_column: that of the ids.

    Raises:
        InputError: no such file or column, or a cell that is no text; with its line.
    """
    return _write(out, "rows", _of_column(records, column, id_column))


def _write(out: Path, what: str, rows: Iterable[tuple[str, str | None, list[str]]]) -> dict[str, int]:
    """Write the queries of rows (id, text or ``None``, queries), whole or not at all, and count them."""
    counts = {what: 0, "queries": 0, "left_out": 0}
    with whole_file(out) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        for name, text, queries in rows:
            counts[what] += 1
            for query in queries:
                line = " ".join(well_formed(query).split())
                if not line or (text is not None and normalised(line) == normalised(text)):
                    counts["left_out"] += 1
                    continue
                file.write(f"{name}\t{line}\n")
                counts["queries"] += 1
    return counts


def _of_passages(vectors: Vectors, source: Source, language: str | None) -> Iterator[tuple[str, str, list[str]]]:
    import pyarrow.compute as pc

    found = language is None
    for table in vectors.tables(["id", "language", "text"]):
        if "text" not in table.column_names:
            raise InputError(f"{vectors.folder} holds no texts to make queries from: encode with the texts stored")
        if language is not None:
            table = table.filter(pc.equal(table.column("language"), language))
        ids, texts, languages = (table.column(name).to_pylist() for name in ("id", "text", "language"))
        bad = next(filter(_BREAKS.search, ids), None)
        if bad is not None:
            raise InputError(f"{vectors.folder}: id {bad!r} holds a tab or a line end, which no line id TAB query can")
        found = found or bool(ids)
        yield from zip(ids, texts, source(texts, languages), strict=True)
    if not found:
        raise InputError(f"{vectors.folder} has no passage in {language}")


def _of_column(records: Path, column: str, id_column: str) -> Iterator[tuple[str, None, list[str]]]:
    for number, row in file_records(records):
        if id_column not in row or column not in row:
            raise InputError(
                f"{records}, line {number}: expected columns {id_column!r} and {column!r}, got {', '.join(row)}"
            )
        name, query = str(row[id_column]), row[column]
        if query is not None and not isinstance(query, str):
            raise InputError(f"{records}, line {number}: expected text in {column!r}, got {type(query).__name__}")
        if _BREAKS.search(name):
            raise InputError(f"{records}, line {number}: id {name!r} holds a tab or a line end")
        yield name, None, [query or ""]
