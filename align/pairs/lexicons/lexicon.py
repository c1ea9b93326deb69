"""Where words come from: a source and its format, as a user names it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.archives import is_folder, is_there
from align.files.licences import check_licence, known_licence
from align.files.whole import sha256
from align.pairs.lexicons.dictionary import SUFFIXES
from align.pairs.lexicons.format import Format, LexicalRow
from align.pairs.lexicons.registry import DICTIONARY, format_of, formats
from align.pairs.reading.finding import find_rows
from align.pairs.reading.sources import RowFile, labelled_path, languages_of


@dataclass(frozen=True)
class Lexicon:
    """One source of words: ``Lexicon("omw-fr:1.4", "wordnet")``, ``Lexicon("cointegrated/panlex-meanings", "panlex")``.

    ``GivenLexicons`` says what stands for one without being one.
    """

    source: Path | str
    """A file; of PanLex also a dataset on the Hub, of wordnets also an installed lexicon."""
    format: str = DICTIONARY
    """Which reader reads it: a name of ``align.pairs.lexicons.registry.formats``."""
    languages: tuple[str, ...] = ()
    """Of a dictionary (and FreeDict): the codes of the two sides; (): at the start of the file name."""
    licence: str = ""
    """Licence, for the manifest; "": the licence known of the format, else that of the builder."""

    def __post_init__(self) -> None:
        if self.format not in formats():
            raise InputError(f"the format of a lexicon is one of {', '.join(formats())}; got {self.format!r}")

    @property
    def name(self) -> str:
        """The path or name as given."""
        return str(self.source)

    @property
    def kind(self) -> Format:
        """What is known of its format."""
        return formats()[self.format]


GivenLexicons = (
    Mapping[str, "Path | str | Sequence[Path | str]"] | Sequence["Path | str | Lexicon"] | Path | str | Lexicon
)
"""What a user may give: a ``Lexicon``, a dictionary (a file, or a folder of them, named ``eng_Latn-deu_Latn.tsv``), a
file of another format that its first bytes tell, a list of these, or ``{"eng_Latn-deu_Latn": file or files}``."""


def find_lexicons(given: GivenLexicons) -> list[Lexicon]:
    """The lexicons that ``given`` names, in that order."""
    found: list[Lexicon] = []
    if isinstance(given, Mapping):
        found += map(_of_row, find_rows(given, suffixes=SUFFIXES))
    else:
        for item in [given] if isinstance(given, (str, Path, Lexicon)) else given:
            found += [item] if isinstance(item, Lexicon) else _at(item)
    if not found:
        raise InputError("no words are given: expected dictionaries or other lexicons")
    found = [_licensed(_checked(lexicon)) for lexicon in found]
    for (name, _), count in Counter((lexicon.name, lexicon.languages) for lexicon in found).items():
        if count > 1:
            raise InputError(f"{name} is given {count} times; expected each source once")
    return found


def given_lexicon(text: str, format: str = "") -> str | Lexicon:
    """What ``CODE-CODE=PATH`` or a path names on the command line; its first bytes tell a format that is not given."""
    label, path = labelled_path(text)
    if label:
        sides = languages_of(label)
        return Lexicon(Path(path), format or format_of(path, sides), sides)
    return Lexicon(text, format) if format else text


def _at(path: Path | str) -> list[Lexicon]:
    """A file whose first bytes tell its format, or the dictionaries at a path."""
    told = format_of(path)
    return [_of_row(row) for row in find_rows(path, suffixes=SUFFIXES)] if told == DICTIONARY else [Lexicon(path, told)]


def _of_row(row: Any) -> Lexicon:
    return Lexicon(row.path, format_of(row.path, row.languages), row.languages)


def _checked(lexicon: Lexicon) -> Lexicon:
    if not lexicon.kind.two_sides:
        return lexicon
    row: Any = find_rows(RowFile(Path(lexicon.source), lexicon.languages), suffixes=SUFFIXES)[0]
    if len(row.languages) != 2:
        got = "-".join(row.languages) or "none"
        raise InputError(f"{row.name}: expected the codes of two languages, such as eng_Latn-deu_Latn, got {got}")
    return replace(lexicon, source=row.path, languages=row.languages)


def _licensed(lexicon: Lexicon) -> Lexicon:
    licence, path = licence_of(lexicon, ""), Path(lexicon.source)
    licence = known_licence(path, licence) if is_there(path) else licence
    check_licence(lexicon.name, licence)
    return replace(lexicon, licence=licence)


def lexicon_rows(lexicon: Lexicon, languages: Sequence[str] = ()) -> Iterator[LexicalRow]:
    """Rows of one lexicon, streamed. Readers may leave out rows of other languages than ``languages``; (): all."""
    row = None
    for row in lexicon.kind.read(lexicon.source, lexicon.languages, languages):
        yield row
    if row is None:
        raise InputError(f"{lexicon.name} holds no word" + (f" in {', '.join(languages)}" if languages else ""))


def licence_of(lexicon: Lexicon, default: str) -> str:
    """The licence given, the one known of the source, or ``default``."""
    return lexicon.licence or lexicon.kind.licence(lexicon.name) or default


def described(lexicon: Lexicon, lines: int, languages: Sequence[str], licence: str) -> dict[str, Any]:
    """Entry of a lexicon in the manifest."""
    about = {"name": lexicon.name, "format": lexicon.format, "languages": sorted(languages), "lines": lines}
    about["licence"] = licence_of(lexicon, licence)
    path = Path(lexicon.source)
    return about | ({"sha256": sha256(path)} if is_there(path) and not is_folder(path) else {})
