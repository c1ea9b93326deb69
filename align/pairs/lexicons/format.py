"""A format of word lists, and what every one yields: words of concepts, or lines of dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class ConceptWord(NamedTuple):
    """A word of one language that names a concept; words of one concept are synonyms, within and across languages.

    ``number`` is the line of the file, from 1. ``gloss`` says in words what the concept is, in the same language.
    ``problem`` says why the row cannot be used; it is then rejected for that reason.
    """

    file: str
    number: int
    concept: str
    language: str
    word: str
    gloss: str = ""
    problem: str = ""


class WordPair(NamedTuple):
    """A line of a dictionary; ``concept`` is its headword, ``source_lang:headword``, which several targets may share.

    ``problem`` says why the row cannot be used; it is then rejected for that reason.
    """

    file: str
    number: int
    source_lang: str
    target_lang: str
    source: str
    target: str
    concept: str
    problem: str = ""
    kind: str = "synonym"


LexicalRow = ConceptWord | WordPair
SHOWN = 10
"""Languages in a message."""


def no_word(name: Path | str, wanted: Sequence[str], found: Sequence[str]) -> str:
    """The sentence for a source that has no word in the languages ``wanted``, but in those ``found``.

    >>> no_word("a.tsv", ["deu_Latn"], ["fra_Latn", "spa_Latn"])
    'a.tsv: no word in deu_Latn; there are words in fra_Latn, spa_Latn'
    """
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{name}: no word in {', '.join(wanted)}; there are words in {', '.join(found[:SHOWN])}{more}"


@dataclass(frozen=True)
class Format:
    """One format of word lists. A file that has it as ``FORMAT`` is all that a new one takes."""

    name: str
    """``align pairs synonyms`` takes files of it by ``--NAME``; of dictionaries as they are."""
    read: Callable[[Path | str, tuple[str, ...], Sequence[str]], Iterator[LexicalRow]]
    """``read(source, sides, languages)``: its rows, streamed. Those of other languages than ``languages`` may be left
    out; (): of none. A row that cannot be used says why as its ``problem``; a file that cannot is an InputError."""
    help: str
    """What the command line is given."""
    recognises: Callable[[str, bytes], bool]
    """``recognises(name, head)``: whether a source of this name that begins with these bytes, once decompressed, is of
    this format. There is no need to tell dictionaries, which are what nothing else is."""
    two_sides: bool = False
    """Whether each line has two sides, whose codes (``sides``) a user gives or the name of the file begins with."""
    turn: int = 9
    """When sources of several formats are read, the lower one is read first: of equal pairs the first is kept."""
    licence: Callable[[str], str] = lambda source: ""
    """The licence that is known of a source; "": none."""
    page: tuple[str, str, str, str] = ("", "", "", "")
    """For the table in docs/lexicons.md: what the sources are, what they give, where they are, under which licence."""
    given: str = "FILE`"
    """For the table: what follows the option, and the mark that ends it."""
