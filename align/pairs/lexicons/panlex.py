"""PanLex: words of thousands of languages, each with the meanings that the source dictionaries give it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from align.errors import InputError
from align.files.archives import is_there
from align.pairs.lexicons.format import ConceptWord, Format
from align.pairs.reading.records import bad_row, column, read_rows, text_of
from align.pairs.reading.sources import ROW_SUFFIXES, AnyRows, HubRows, RowFile
from align.text.tags import INDIVIDUAL, wanted_language

DATASET, LICENCE = "cointegrated/panlex-meanings", "CC0-1.0"
"""The copy on the Hugging Face Hub: a configuration a language (``eng``); columns as in ``panlex_words``."""
COLUMNS = ("txt", "meaning", "langvar_uid")


def panlex_words(source: Path | str, *, languages: Sequence[str]) -> Iterator[ConceptWord]:
    """Words of a local file of PanLex meanings, or of a dataset on the Hub, streamed.

    Columns: ``txt`` the word, ``meaning`` the number of its meaning, ``langvar_uid`` the language and its variety
    (``eng-000``); ``id, langvar, txt_degr`` are passed over. Words of one meaning are synonyms, in one language or
    several. PanLex names no scripts: a row belongs to that one of ``languages`` which its ISO 639-3 code can mean
    (``zho_Hans`` for ``cmn``), and of several (``srp_Latn``, ``srp_Cyrl``) to the one whose script most of its letters
    have. The language of any other row is its code without a script. Of a dataset the configurations of these languages
    are read, those of the member that is meant where a macrolanguage is named.
    """
    if not languages:
        raise InputError(f"{source}: PanLex names no scripts, so name the languages, such as eng_Latn and deu_Latn")
    codes = dict.fromkeys(INDIVIDUAL.get(code, code) for code in (language.partition("_")[0] for language in languages))
    local = is_there(source) or str(source).endswith(ROW_SUFFIXES)
    rows: list[AnyRows] = [RowFile(Path(source))] if local else [HubRows(str(source), code) for code in codes]
    for each in rows:
        yield from _words(each, languages)


def _words(source: AnyRows, languages: Sequence[str]) -> Iterator[ConceptWord]:
    names: list[str] = []
    for number, record in read_rows(source):
        if bad := bad_row(record):
            yield ConceptWord(source.name, number, "", "", "", problem=bad)
            continue
        names = names or [column([name], record, source.name) for name in COLUMNS]
        word, meaning, variety = (record.get(name) for name in names)
        text, problem = text_of(word)
        text = _unquoted(text)
        code = str(variety)[:3]
        language = wanted_language(code, text, languages) or code
        if isinstance(meaning, float) and meaning.is_integer():
            meaning = int(meaning)  # as pandas writes a column of numbers with a gap
        if not problem and (meaning is None or not text):
            problem = "empty" if not text else "no meaning"
        yield ConceptWord(source.name, number, f"panlex:{meaning}", language, text, problem=problem)


def _unquoted(text: str) -> str:
    # a cell that holds a quotation mark is written in quotation marks, each inside it twice
    return text[1:-1].replace('""', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text


FORMAT = Format(
    "panlex",
    lambda source, sides, languages: panlex_words(source, languages=languages),
    help=f"PanLex meanings: .tsv, .jsonl, .parquet, or {DATASET} (CC0).",
    recognises=lambda name, head: (
        name == DATASET or all(one.encode() in head.partition(b"\n")[0].lower() for one in COLUMNS)
    ),
    turn=1,
    licence=lambda source: LICENCE if source == DATASET else "",
    page=("PanLex", "words of thousands of languages by meaning", f"Hub: `{DATASET}`", LICENCE),
    given="NAME` or file",
)
