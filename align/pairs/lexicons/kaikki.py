"""Wiktionary as wiktextract reads it (kaikki.org): translations, synonyms and glosses of words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.pairs.lexicons.format import ConceptWord, Format, WordPair
from align.pairs.lexicons.spellings import spellings
from align.pairs.reading.records import bad_row, json_records, some_read
from align.text.tags import language_of_tag

EDITIONS = {
    "cs": "čeština", "de": "deutsch", "el": "ελληνικά", "en": "english", "es": "español", "fr": "français",
    "id": "bahasa indonesia", "it": "italiano", "ja": "日本語", "ko": "한국어", "ku": "kurmancî", "ms": "bahasa melayu",
    "nl": "nederlands", "pl": "język polski", "pt": "português", "ru": "русский", "th": "ภาษาไทย", "tr": "türkçe",
    "vi": "tiếng việt", "zh": "漢語",
}  # fmt: skip
"""What an edition calls its own language: the glosses of such a word are in its language."""
FORMS = {"form-of", "alt-of"}


def kaikki_rows(path: Path | str, *, languages: Sequence[str] = ()) -> Iterator[ConceptWord | WordPair]:
    """Rows of a Wiktionary extract, streamed: JSON Lines (or one array), an object for a word and part of speech.

    A translation gives a ``WordPair``, a synonym one within the language of the headword. A gloss gives a
    ``ConceptWord`` where it is in the language of the word: the English edition explains German words in English. The
    concept is headword and sense, ``eng_Latn:bank#institution``, the sense as it is worded at the translation, which
    need not be a gloss; without a sense it is ``eng_Latn:bank``.

    Problems: ``unknown language code`` (ancestors and families have no ISO 639-3 code), ``empty`` (no word), ``form of
    another word`` (a gloss such as "plural of bank"), ``redirect``, ``alternatives`` (see
    :mod:`align.pairs.lexicons.spellings`, which says when a translation is several words).

    Rows of other ``languages`` are left out, but none of an unknown code.

    References:
        Ylonen 2022, Wiktextract: Wiktionary as Machine-Readable Structured Data, LREC.
    """
    first, others, read = True, Counter[str](), False
    records = json_records(Path(path), keep_bad=True)
    for number, record in some_read(records, lambda number: f"{path}, line {number}"):
        if reason := bad_row(record):
            yield ConceptWord(str(path), number, "", "", "", problem=reason)
            continue
        if first and not ({"word", "lang_code"} <= record.keys() or "redirect" in record):
            found = ", ".join(record) or "none"
            raise InputError(
                f"{path}, line {number}: expected wiktextract's fields 'word' and 'lang_code'; found {found}"
            )
        first = False
        for row in _rows(str(path), number, record, languages):
            read = True
            yield row
        if not read:
            others[_text(record, "lang_code")] += 1
    if languages and others and not read:
        wanted, found = " and ".join(languages), ", ".join(tag for tag, _ in others.most_common(10))
        raise InputError(f"{path}: no translation, synonym or gloss within {wanted}; its headwords are in {found}")


def _rows(
    file: str, number: int, record: Mapping[str, Any], languages: Sequence[str]
) -> Iterator[ConceptWord | WordPair]:
    word, tag = _text(record, "word"), _text(record, "lang_code")
    language = language_of_tag(tag, word, languages)
    problem = "redirect" if "redirect" in record else "" if word else "empty"
    if problem or not language:
        concept = f"{language}:{word or _text(record, 'title')}"
        yield ConceptWord(file, number, concept, language, word, problem=problem or "unknown language code")
    elif not languages or language in languages:
        senses = _objects(record, "senses")
        for sense in senses:
            gloss = _gloss(sense)
            if gloss and _text(record, "lang").casefold() == EDITIONS.get(tag):
                form = "form_of" in sense or "alt_of" in sense or FORMS.intersection(sense.get("tags") or ())
                concept = _concept(language, word, gloss)
                yield ConceptWord(file, number, concept, language, word, gloss, "form of another word" if form else "")
        for holder in (record, *senses):
            for code, target, meaning, problem in _links(holder, word, tag, languages):
                concept = _concept(language, word, meaning)
                problem = "unknown language code" if not code else problem if target else "empty"
                yield WordPair(file, number, language, code, word, target, concept, problem)


def _links(
    holder: Mapping[str, Any], word: str, tag: str, languages: Sequence[str]
) -> Iterator[tuple[str, str, str, str]]:
    """Translations and synonyms of a word, whose language has this ``tag``: language, word, sense, problem."""
    meaning = _gloss(holder)
    for item in _objects(holder, "translations"):
        named = _text(item, "lang_code") or _text(item, "code")
        for target, one, problem in spellings(_text(item, "word"), named, word):
            code = language_of_tag(one, target, languages)
            if not (languages and code) or code in languages:
                yield code, target, _text(item, "sense") or meaning, problem
    for item in _objects(holder, "synonyms"):
        for target, one, problem in spellings(_text(item, "word"), tag, word):
            yield language_of_tag(one, target, languages), target, _text(item, "sense") or meaning, problem


def _concept(language: str, word: str, meaning: str) -> str:
    return f"{language}:{word}#{meaning}" if meaning else f"{language}:{word}"


def _gloss(sense: Mapping[str, Any]) -> str:
    """The gloss of a sense; that of a subsense follows those that it stands under."""
    glosses = sense.get("glosses")
    return " ".join(text for text in glosses if isinstance(text, str)) if isinstance(glosses, list) else ""


def _objects(record: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects of a list; anything else in it counts as an object without fields, and so as an empty row."""
    value = record.get(key)
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, list) else []


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return " ".join(value.split()) if isinstance(value, str) else ""


FORMAT = Format(
    "kaikki",
    lambda source, sides, languages: kaikki_rows(source, languages=languages),
    help="Wiktionary extract of kaikki.org, JSON Lines.",
    recognises=lambda name, head: bool(re.match(rb"[\[\s]*\{", head) and re.search(rb'"(lang_code|redirect)":', head)),
    turn=3,
    licence=lambda source: "CC-BY-SA-4.0 and GFDL (Wiktionary)",
    page=("Wiktionary", "translations, synonyms, glosses", "kaikki.org, JSON Lines", "CC-BY-SA-4.0 / GFDL"),
)
