"""PanLex: words of thousands of languages, each with the meanings that the source dictionaries give it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from align.errors import InputError
from align.pairs.lexicons.rows import ConceptWord
from align.pairs.reading.row_sources import AnyRows, HubRows, RowFile
from align.pairs.reading.rows import column, read_rows, text_of
from align.text.languages import script_share

DATASET, LICENCE = "cointegrated/panlex-meanings", "CC0-1.0"
"""The copy on the Hugging Face Hub: a configuration a language (``eng``); columns as in ``panlex_words``."""


def panlex_words(source: Path | str, *, languages: Sequence[str]) -> Iterator[ConceptWord]:
    """Words of a local file of PanLex meanings, or of a dataset on the Hub, streamed.

    Columns: ``txt`` the word, ``meaning`` the number of its meaning, ``langvar_uid`` the language and its variety
    (``eng-000``); ``id, langvar, txt_degr`` are passed over. Words of one meaning are synonyms, in one language or
    several. PanLex names no scripts: a row belongs to that one of ``languages`` which has its ISO 639-3 code, and of
    several (``srp_Latn``, ``srp_Cyrl``) to the one whose script most of its letters have. The language of any other
    row is its code without a script.

    Args:
        source: a ``.tsv`` with a header, ``.jsonl``, ``.gz`` of these or ``.parquet``; else the name of a dataset, of
            which the configurations of these languages are read.
        languages: codes such as ``eng_Latn``.

    Raises:
        InputError: no language is named, the source is missing, empty or damaged, or it lacks a column.
    """
    if not languages:
        raise InputError(f"{source}: PanLex names no scripts, so name the languages, such as eng_Latn and deu_Latn")
    codes: dict[str, list[str]] = {}
    for language in languages:
        codes.setdefault(language.partition("_")[0], []).append(language)
    local = Path(source).exists() or str(source).endswith((".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz", ".parquet"))
    rows: list[AnyRows] = [RowFile(Path(source))] if local else [HubRows(str(source), code) for code in codes]
    for each in rows:
        yield from _words(each, codes)


def _words(source: AnyRows, codes: dict[str, list[str]]) -> Iterator[ConceptWord]:
    names: list[str] = []
    for number, record in read_rows(source):
        names = names or [column([name], record, source.name) for name in ("txt", "meaning", "langvar_uid")]
        word, meaning, variety = (record.get(name) for name in names)
        text, problem = text_of(word)
        text = _unquoted(text)
        language = _language(str(variety)[:3], text, codes)
        if not problem and (meaning is None or not text):
            problem = "empty" if not text else "no meaning"
        yield ConceptWord(source.name, number, f"panlex:{meaning}", language, text, problem=problem)


def _language(code: str, word: str, codes: dict[str, list[str]]) -> str:
    known = codes.get(code, [code])
    return max(known, key=lambda name: script_share(word, name.partition("_")[2])) if len(known) > 1 else known[0]


def _unquoted(text: str) -> str:
    # a cell that holds a quotation mark is written in quotation marks, each inside it twice
    return text[1:-1].replace('""', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text
