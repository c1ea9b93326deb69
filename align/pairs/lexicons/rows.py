"""What lexicons yield: a word of a concept, or a line of a dictionary."""

from __future__ import annotations

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
