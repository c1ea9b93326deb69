"""Where words come from: dictionaries, PanLex, wordnets, FreeDict, Wiktionary, names of entities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from align.errors import InputError
from align.files.whole import existing_file, sha256
from align.pairs.lexicons import panlex
from align.pairs.lexicons.dictionary import SUFFIXES, dictionary_pairs
from align.pairs.lexicons.entities import LICENCES, entity_words
from align.pairs.lexicons.rows import ConceptWord, WordPair
from align.pairs.lexicons.wordnet_licence import wordnet_licence
from align.pairs.reading.row_sources import RowFile, find_rows

Format = Literal["dictionary", "panlex", "wordnet", "freedict", "kaikki", "entities"]
LexicalRow = ConceptWord | WordPair
OF_FORMAT = {
    "freedict": "GPL (FreeDict; see the notice of the dictionary)",
    "kaikki": "CC-BY-SA-4.0 and GFDL (Wiktionary)",
}
"""Licences of formats that one project publishes."""


@dataclass(frozen=True)
class Lexicon:
    """One source of words: ``Lexicon("omw-fr:1.4", "wordnet")``, ``Lexicon("cointegrated/panlex-meanings", "panlex")``.

    ``GivenLexicons`` says what stands for one without being one.
    """

    source: Path | str
    """A file; of PanLex also a dataset on the Hub, of wordnets also an installed lexicon."""
    format: Format = "dictionary"
    """dictionary, panlex, wordnet, freedict, kaikki or entities: which reader reads it."""
    languages: tuple[str, ...] = ()
    """Of a dictionary (and FreeDict): the codes of the two sides; (): at the start of the file name."""
    licence: str = ""
    """Licence, for the manifest; "": the licence known of the format, else that of the builder."""

    def __post_init__(self) -> None:
        if self.format not in get_args(Format):
            raise InputError(f"the format of a lexicon is one of {', '.join(get_args(Format))}; got {self.format!r}")

    @property
    def name(self) -> str:
        """The path or name as given."""
        return str(self.source)


GivenLexicons = (
    Mapping[str, "Path | str | Sequence[Path | str]"] | Sequence["Path | str | Lexicon"] | Path | str | Lexicon
)
"""What a user may give: a ``Lexicon``, a dictionary (a file, or a folder of them, named ``eng_Latn-deu_Latn.tsv``), a
list of these, or ``{"eng_Latn-deu_Latn": dictionary or dictionaries}``."""


def find_lexicons(given: GivenLexicons) -> list[Lexicon]:
    """The lexicons that ``given`` names, in that order.

    Raises:
        InputError: nothing is given, no such file, a source is given twice, or a dictionary without its two languages.
    """
    if isinstance(given, Mapping):
        found = [_dictionary(row) for row in find_rows(given, suffixes=SUFFIXES)]
    else:
        found = []
        for item in [given] if isinstance(given, (str, Path, Lexicon)) else given:
            if isinstance(item, Lexicon):
                found.append(_checked(item))
            else:
                found += [_dictionary(row) for row in find_rows(item, suffixes=SUFFIXES)]
    if not found:
        raise InputError("no words are given: expected dictionaries or other lexicons")
    names = [(lexicon.name, lexicon.languages) for lexicon in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{name[0]} is given {names.count(name)} times; expected each source once")
    return found


def _checked(lexicon: Lexicon) -> Lexicon:
    if lexicon.format not in ("dictionary", "freedict"):
        return lexicon
    row = find_rows(RowFile(Path(lexicon.source), lexicon.languages), suffixes=SUFFIXES)[0]
    return replace(_dictionary(row), format=lexicon.format, licence=lexicon.licence)


def _dictionary(row: Any) -> Lexicon:
    if len(row.languages) != 2:
        got = "-".join(row.languages) or "none"
        raise InputError(f"{row.name}: expected the codes of two languages, such as eng_Latn-deu_Latn, got {got}")
    return Lexicon(row.path, "dictionary", row.languages)


def lexicon_rows(lexicon: Lexicon, languages: Sequence[str] = ()) -> Iterator[LexicalRow]:
    """Rows of one lexicon, streamed. Readers may leave out rows of other languages than ``languages``; (): all.

    Raises:
        InputError: it is missing, empty or damaged.
    """
    row = None
    for row in _rows(lexicon, languages):
        yield row
    if row is None:
        raise InputError(f"{lexicon.name} holds no word" + (f" in {', '.join(languages)}" if languages else ""))


def _rows(lexicon: Lexicon, languages: Sequence[str]) -> Iterator[LexicalRow]:
    source, path = lexicon.source, Path(lexicon.source)
    if lexicon.format == "dictionary":
        one, two = lexicon.languages
        return dictionary_pairs(path, source_lang=one, target_lang=two)
    if lexicon.format == "panlex":
        return panlex.panlex_words(source, languages=languages)
    if lexicon.format == "entities":
        return entity_words(path)
    if lexicon.format == "wordnet":
        from align.pairs.lexicons.wordnet import wordnet_words

        return wordnet_words(source, languages=languages)
    if lexicon.format == "freedict":
        from align.pairs.lexicons.freedict import freedict_pairs

        one, two = lexicon.languages
        return freedict_pairs(path, source_lang=one, target_lang=two)
    from align.pairs.lexicons.kaikki import kaikki_rows

    return kaikki_rows(existing_file(path), languages=languages)


def licence_of(lexicon: Lexicon, default: str) -> str:
    """The licence given, the one known of the format or the collection, or ``default``."""
    known = ""
    if lexicon.name == panlex.DATASET:
        known = panlex.LICENCE
    elif lexicon.format == "entities":
        name = Path(lexicon.source).name
        known = next((licence for start, licence in LICENCES.items() if name.startswith(start)), "")
    elif lexicon.format == "wordnet":
        known = wordnet_licence(lexicon.source)
    return lexicon.licence or known or OF_FORMAT.get(lexicon.format, default)


def described(lexicon: Lexicon, lines: int, languages: Sequence[str], licence: str) -> dict[str, Any]:
    """Entry of a lexicon in the manifest."""
    about = {"name": lexicon.name, "format": lexicon.format, "languages": sorted(languages), "lines": lines}
    about["licence"] = licence_of(lexicon, licence)
    path = Path(lexicon.source)
    return about | ({"sha256": sha256(path)} if path.is_file() else {})
